# Sourced by the run scripts: turns `--name value` into the shell variable `name` where the script
# has set a default for it, and collects every other option in the array `conf_options`.

conf_options=()
while [ $# -gt 0 ]; do
  case "$1" in --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;; esac
  case "$1" in
    --help | -h)
      sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    --*)
      option=${1#--}
      option=${option//-/_}
      if [ $# -lt 2 ]; then
        echo "Expected a value after $1, received none. See $0 --help." >&2
        exit 1
      fi
      if [[ $option =~ ^[a-z_0-9]+$ ]] && declare -p "$option" >/dev/null 2>&1; then
        printf -v "$option" '%s' "$2"
      else
        conf_options+=("$1" "$2")
      fi
      shift 2
      ;;
    *)
      echo "Expected an option such as --stage 3, received '$1'. See $0 --help." >&2
      exit 1
      ;;
  esac
done

# check_range NAME VALUE LOW HIGH: stops unless --NAME is a whole number from LOW to HIGH.
check_range() {
  if ! [[ $2 =~ ^[0-9]+$ ]] || [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
    echo "Expected --$1 from $3 to $4, received '$2'. See $0 --help." >&2
    exit 1
  fi
}
