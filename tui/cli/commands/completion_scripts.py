"""The `completion` command: scripts by which shells ask the program for candidates (see `completion`)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ....engine.record.exit_status import MEASURED
from ..context import Context

if TYPE_CHECKING:
    from ..arguments import Subparsers

SCRIPTS = {
    "bash": r"""# gpubench-tui: in ~/.bashrc, eval "$(gpubench-tui completion bash)"
_gpubench_tui() {
    local line text file action typed=${2#[\"\']}
    typed=${typed//\\/}
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files | :directories)
                compopt -o filenames
                [[ $line == :files ]] && action=file || action=directory
                while IFS= read -r file; do
                    COMPREPLY+=("$file")
                done < <(compgen -A "$action" -- "$typed")
                ;;
            *)
                printf -v text %q "${line%%$'\t'*}"
                COMPREPLY+=("$text")
                case $text in *=) compopt -o nospace ;; esac
                ;;
        esac
    done < <("${1/#\~/$HOME}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o nosort -F _gpubench_tui gpubench-tui 2>/dev/null || complete -F _gpubench_tui gpubench-tui
""",
    "zsh": r"""#compdef gpubench-tui
# In ~/.zshrc, after compinit: eval "$(gpubench-tui completion zsh)"
_gpubench_tui() {
    local line
    local -a found open
    for line in "${(@f)$(${~${(Q)words[1]}} __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $line in
            '') ;;
            :files) compset -P '--*='; _files ;;
            :directories) compset -P '--*='; _files -/ ;;
            *=$'\t'*) open+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
            *) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    (( $#found )) && _describe -V gpubench-tui found
    (( $#open )) && _describe -V gpubench-tui open -S ''
}
if [[ $funcstack[1] == _gpubench_tui ]]; then
    _gpubench_tui "$@"
else
    compdef _gpubench_tui gpubench-tui
fi
""",
    "fish": r"""# gpubench-tui: in ~/.config/fish/config.fish, gpubench-tui completion fish | source
function __gpubench_tui
    set -l words (commandline -opc)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    set -e words[1]
    set -l current (commandline -ct)
    set -l path (string replace -r '^--[^=]*=' '' -- $current)
    set -l option (string match -r '^--[^=]*=' -- $current)
    for line in ($program __complete $words "$current" 2>/dev/null)
        switch $line
            case :files
                printf '%s\n' "$option"(complete -C "'' $path")
            case :directories
                printf '%s\n' "$option"(__fish_complete_directories "$path")
            case '*'
                echo $line
        end
    end
end
complete -c gpubench-tui -f -k -a '(__gpubench_tui)'
""",
}


def add_completion_command(subparsers: Subparsers) -> None:
    """Declare `completion`."""
    parser = subparsers.add_parser(
        "completion",
        help="print a script that lets your shell complete commands, presets and sessions",
        epilog='To enable it: in ~/.bashrc, eval "$(gpubench-tui completion bash)"; in ~/.zshrc, after '
        'compinit, eval "$(gpubench-tui completion zsh)"; in ~/.config/fish/config.fish, '
        "gpubench-tui completion fish | source.",
    )
    parser.add_argument("shell", choices=tuple(SCRIPTS))
    parser.set_defaults(command=print_completion_script)


def print_completion_script(_: Context, *, shell: str) -> int:
    """Print the script for a shell."""
    sys.stdout.write(SCRIPTS[shell])
    return MEASURED
