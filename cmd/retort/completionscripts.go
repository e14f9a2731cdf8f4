package main

// completionScripts hand the line over to this program and its answer to the shell; they know no command and no flag. The last line of
// an answer says what the shell completes by itself.
var completionScripts = map[string]string{
	"bash": `# bash completion of retort. In ~/.bashrc: eval "$(retort completion bash)"
_retort() {
    local IFS=$'\n' directive reply cur=${COMP_WORDS[COMP_CWORD]}
    [[ $cur == "=" || $cur == ":" ]] && cur=
    reply=($("${COMP_WORDS[0]}" __complete bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
    (( ${#reply[@]} )) || return
    directive=${reply[${#reply[@]}-1]}
    unset "reply[${#reply[@]}-1]"
    COMPREPLY=("${reply[@]}")
    case $directive in
        :files) COMPREPLY+=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null ;;
        :folders) COMPREPLY+=($(compgen -d -- "$cur")); compopt -o filenames 2>/dev/null ;;
    esac
}
complete -F _retort retort
`,
	"zsh": `#compdef retort
# zsh completion of retort. In ~/.zshrc, after compinit: source <(retort completion zsh)
_retort() {
    local -a reply
    local directive
    reply=("${(@f)$("${words[1]}" __complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    directive=${reply[-1]}
    reply[-1]=()
    (( ${#reply} )) && _describe retort reply
    case $directive in
        :files) _files ;;
        :folders) _files -/ ;;
    esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _retort "$@"
else
    compdef _retort retort
fi
`,
	"fish": `# fish completion of retort. retort completion fish > ~/.config/fish/completions/retort.fish
function __retort_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l reply ($words[1] __complete fish $words[2..-1] "$current" 2>/dev/null)
    test (count $reply) -gt 0; or return
    switch $reply[-1]
        case :files
            __fish_complete_path "$current"
        case :folders
            __fish_complete_directories "$current"
    end
    set -e reply[-1]
    printf '%s\n' $reply
end
complete -c retort -f -a '(__retort_complete)'
`,
	"powershell": `# PowerShell completion of retort. In $PROFILE: retort completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName retort -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -le $cursorPosition } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.ToString() }
    })
    $count = $words.Count - 1
    if ($wordToComplete -eq '') { $count++ }
    $rest = if ($words.Count -gt 1) { $words[1..($words.Count - 1)] } else { @() }
    $reply = @(& $words[0] __complete powershell $count @rest 2>$null)
    foreach ($line in $reply) {
        if ($line.StartsWith(':')) { continue }
        $word, $help = $line -split "` + "`t" + `", 2
        if (-not $help) { $help = $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $help)
    }
}
`,
}
