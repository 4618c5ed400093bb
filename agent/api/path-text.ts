// What is to be said before a step that cannot be undone: for the console and for `rollover plan`.

export function noReturnText(versions: readonly string[]): string {
  return `Point of no return: once it is installed, there is no way back behind ${versions.join(' and ')}.`;
}
