// The cluster as a map: a column a rack, a tile a node, colored by its state. The state is written on the tile as well,
// because color alone says nothing to many people.
import { For, type JSX, Show } from 'solid-js';
import type { ConsoleCluster, ConsoleNode } from '../../api/state.ts';

export function ClusterMap(props: { cluster: ConsoleCluster }): JSX.Element {
  const racks = () => [...new Set(props.cluster.nodes.map(node => node.rack))];
  return (
    <section class="card" aria-labelledby="map-title">
      <h2 id="map-title">
        Cluster{' '}
        <Show when={props.cluster.simulated}>
          <span class="quiet">simulated: these nodes are a model, not machines</span>
        </Show>
      </h2>
      <div class="racks">
        <For each={racks()}>
          {rack => (
            <div class="rack">
              <h3>rack {rack}</h3>
              <For each={props.cluster.nodes.filter(node => node.rack === rack)}>
                {node => <NodeTile node={node} />}
              </For>
            </div>
          )}
        </For>
      </div>
    </section>
  );
}

function NodeTile(props: { node: ConsoleNode }): JSX.Element {
  return (
    <div class={`node ${props.node.state}`} data-testid={`node-${props.node.id}`} data-version={props.node.version}>
      <strong>{props.node.id}</strong>
      <span class="state">{props.node.state}</span>
      <span class="version">{props.node.version || '–'}</span>
      <span class="vms">
        {props.node.vms} VM{props.node.vms === 1 ? '' : 's'}
      </span>
    </div>
  );
}
