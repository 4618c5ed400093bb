// `rollover completion`: scripts that complete commands, options and choices in bash, zsh and fish. They are made of the tree of commands
// and ask nobody when they run; what is no word of ours is left to the shell, which completes files.
import { Argument, Command } from 'commander';
import type { Terminal } from './terminal.ts';

/** What can be typed after the words of a path, such as `license list`; the empty path is the program's own. */
interface Place {
  readonly path: string;
  readonly commands: readonly Command[];
  /** Of its arguments. */
  readonly choices: readonly string[];
  readonly options: readonly Choice[];
}

interface Choice {
  /** Such as `-o` and `--output`. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** None: any value, perhaps a file. */
  readonly choices: readonly string[];
}

const SHELLS = { bash, zsh, fish } as const;
type Shell = keyof typeof SHELLS;

/** @param program whose tree is completed, once it is whole */
export function completionCommand(terminal: () => Terminal, program: () => Command): Command {
  return new Command('completion')
    .addArgument(new Argument('<shell>', 'your shell').choices(Object.keys(SHELLS)))
    .description('print a script that completes commands and options in your shell')
    .addHelpText('after', EXAMPLES)
    .action((shell: Shell) => {
      const script = completionScript(program(), shell);
      terminal().result({ shell, script }, script);
    });
}

/** The script for a shell, without a line end. */
export function completionScript(program: Command, shell: Shell): string {
  return SHELLS[shell](program.name(), placesOf(program, ''));
}

function placesOf(command: Command, path: string): readonly Place[] {
  const help = command.createHelp();
  const place = {
    path,
    commands: command.commands,
    choices: command.registeredArguments.flatMap(argument => argument.argChoices ?? []),
    options: help.visibleOptions(command).map(option => ({
      flags: [option.short, option.long].flatMap(flag => flag ?? []),
      description: option.description,
      takesValue: option.required || option.optional,
      choices: option.argChoices ?? [],
    })),
  };
  return [place, ...command.commands.flatMap(child => placesOf(child, `${path} ${child.name()}`.trim()))];
}

/** Words to choose from where no option begins. */
function wordsAt({ commands, choices }: Place): readonly string[] {
  return [...commands.map(command => command.name()), ...choices];
}

/** What leads on to another place, and what has a value after it: each a place and a word, as the shell quotes them. */
function patternsOf(places: readonly Place[], quote: (text: string) => string) {
  const at = (path: string, word: string) => quote(`${path} ${word}`);
  const below = places.flatMap(({ path, commands }) => commands.map(command => at(path, command.name())));
  const valued = places.flatMap(({ path, options }) =>
    options.filter(({ takesValue }) => takesValue).flatMap(({ flags }) => flags.map(flag => at(path, flag))),
  );
  return { at, below, valued };
}

/** Finds the place by the words before the cursor, and then what fits there; bash and zsh read it alike. */
function search(places: readonly Place[]): string {
  const { below, valued, at } = patternsOf(places, quotedAlways);
  const chosen = places.flatMap(({ path, options }) =>
    options
      .filter(({ choices }) => choices.length > 0)
      .map(({ flags, choices }) => [flags.map(flag => at(path, flag)).join('|'), choices.join(' ')]),
  );
  const found = places.map(place => {
    const flags = place.options.flatMap(option => option.flags).join(' ');
    return `    ${quotedAlways(place.path)}) words_here='${wordsAt(place).join(' ')}'; flags_here='${flags}' ;;`;
  });
  return `  local place='' word='' skip=0 words_here='' flags_here='' found=''
  for word in "\${before[@]}"; do
    if [ "$skip" = 1 ]; then
      skip=0
      # An option whose value may be left out is followed by another.
      if [ "\${word:0:1}" != - ]; then continue; fi
    fi
    case "$place $word" in
      ${below.join('|')}) place="\${place:+$place }$word" ;;
      ${valued.join('|')}) skip=1 ;;
    esac
  done
  case "$place" in
${found.join('\n')}
  esac
  if [ "\${current:0:1}" = - ]; then found=$flags_here
  elif [ "$skip" = 1 ]; then
    case "$place $word" in
${chosen.map(([pattern, choices]) => `      ${pattern}) found='${choices}' ;;`).join('\n')}
    esac
  else found=$words_here
  fi`;
}

/** Without anything found, `-o default` completes files. */
function bash(name: string, places: readonly Place[]): string {
  return `# Completion of ${name} for bash.
_${name}() {
  local -a before
  local line=\${COMP_LINE:0:COMP_POINT} current='' ended=''
  read -ra before <<< "$line"
  # The word at the cursor, which bash itself would cut at each colon.
  if [ "\${line: -1}" != ' ' ]; then current=\${before[\${#before[@]} - 1]}; before=("\${before[@]:0:\${#before[@]}-1}"); fi
  before=("\${before[@]:1}")
${search(places)}
  COMPREPLY=($(compgen -W "$found" -- "$current"))
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then ended=\${current%"\${current##*:}"}; fi
  COMPREPLY=("\${COMPREPLY[@]#"$ended"}")
}
complete -o default -F _${name} ${name}`;
}

function zsh(name: string, places: readonly Place[]): string {
  return `#compdef ${name}
# Completion of ${name} for zsh.
_${name}() {
  local current=\${words[CURRENT]}
  local -a before=("\${(@)words[2,CURRENT-1]}")
${search(places)}
  if [ -n "$found" ]; then compadd -- \${=found}; else _files; fi
}
if [ "\${funcstack[1]}" = _${name} ]; then _${name} "$@"; else compdef _${name} ${name}; fi`;
}

function fish(name: string, places: readonly Place[]): string {
  const { below, valued } = patternsOf(places, fishQuoted);
  return `# Completion of ${name} for fish.
function __${name}_at
    set -l place ''
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            if not string match -q -- '-*' $word
                continue
            end
        end
        switch "$place $word"
            case ${below.join(' ')}
                set place (string trim "$place $word")
            case ${valued.join(' ')}
                set skip 1
        end
    end
    test "$place" = "$argv[1]"
end
${places.flatMap(place => fishLines(name, place)).join('\n')}`;
}

function fishLines(name: string, place: Place): readonly string[] {
  const start = `complete -c ${name} -n ${fishQuoted(`__${name}_at ${fishQuoted(place.path)}`)}`;
  return [
    ...place.commands.map(
      command => `${start} -f -a ${fishQuoted(command.name())} -d ${fishQuoted(command.description())}`,
    ),
    ...place.choices.map(choice => `${start} -f -a ${fishQuoted(choice)}`),
    ...place.options.map(({ flags, description, takesValue, choices }) => {
      const names = flags.map(flag => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
      const value = choices.length > 0 ? ` -x -a ${fishQuoted(choices.join(' '))}` : takesValue ? ' -r' : '';
      return `${start} ${names.join(' ')}${value} -d ${fishQuoted(description)}`;
    }),
  ];
}

function quotedAlways(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

const EXAMPLES = `
Examples:
  rollover completion bash > /etc/bash_completion.d/rollover             then open another shell
  rollover completion zsh > "\${fpath[1]}/_rollover"
  rollover completion fish > ~/.config/fish/completions/rollover.fish`;
