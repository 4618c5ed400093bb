// The console's entry: mounts the page on the stream of states.
import { render } from 'solid-js/web';
import { App } from './app.tsx';
import './style.css';

render(() => <App />, document.getElementById('app') as HTMLElement);
