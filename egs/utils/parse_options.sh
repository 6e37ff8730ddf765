# Sourced by the run scripts: puts `--name value` into the shell variable `name` where the script lists
# it in `script_options`, and collects every other option in the array `conf_options`. Dashes and
# underscores in names are the same. What it lists in `script_flags` becomes true without a value.

conf_options=()
print_config=false
utils=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() { echo "$1 See $0 --help." >&2; exit 1; }

while [ $# -gt 0 ]; do
  case "$1" in --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;; esac
  option=${1#--}
  option=${option//-/_}
  case "$1" in
    --help | -h)
      sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    --print[-_]config)
      print_config=true
      shift
      ;;
    --*)
      if [[ " ${script_flags[*]-} " = *" $option "* && ${2-} != true && ${2-} != false ]]; then
        set -- "$1" true "${@:2}"
      fi
      [ $# -ge 2 ] || fail "$1 needs a value."
      value=$2
      if [ "$option" = config ]; then
        [[ $value = /* ]] || value=$PWD/$value
      fi
      if [[ " ${script_options[*]} " = *" $option "* ]]; then
        printf -v "$option" '%s' "$value"
      else
        conf_options+=("--$option" "$value")
      fi
      shift 2
      ;;
    *) fail "'$1' is no option: options begin with two dashes, as --stage 3." ;;
  esac
done

# check_range NAME VALUE LOW HIGH: stops unless --NAME is a whole number from LOW to HIGH.
check_range() {
  if ! [[ $2 =~ ^[0-9]+$ ]] || [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
    fail "--$1 takes a number from $3 to $4; received '$2'."
  fi
}

# check_conf PLACE... -- OPTION...: stops unless the configuration of PLACE has these options; says what
# they change, or prints all of it where --print_config was given. See check_options.py.
check_conf() {
  "$PYTHON" "$utils/check_options.py" "$print_config" "$@" || exit 1
  if $print_config; then exit 0; fi
}

run_stage() {
  running=$1
  [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ] && echo "Stage $1: $2"
}
