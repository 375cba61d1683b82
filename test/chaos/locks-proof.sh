#!/bin/sh
# Proves that a section is held by nobody else: sh locks-proof.sh FOLDER LOG SECONDS STUBBORN MARK…
# MARK is NAME:SIZE:AMOUNT. Of size 1: FOLDER/NAME is made by link(2), which fails when it is there. Of another size:
# each holder has AMOUNT files in FOLDER/NAME/, and counts those of living processes. Who holds a mark stands in it,
# pid and start time, so the mark of a process that was killed is not taken for that of one that lives.
folder=$1 log=$2 seconds=$3 stubborn=$4
shift 4
if [ "$stubborn" = yes ]; then trap '' INT; fi

started() {
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  set -- ${stat##*) }
  case $1 in Z | X) return 1 ;; esac
  echo "${20}"
}
lives() { [ "$(started "$1")" = "$2" ]; }
say() { echo "$1 $me $2" >>"$log"; }

me="$$ $(started $$)"
own="$folder/.own.$$"
echo "$me" >"$own"
wrong=0
for mark in "$@"; do
  name=${mark%%:*} size=${mark#*:} amount=${mark##*:}
  size=${size%:*}
  if [ "$size" != 1 ]; then
    mkdir -p "$folder/$name"
    for nth in $(seq "$amount"); do
      echo "$me" >"$own.new" && mv "$own.new" "$folder/$name/$$.$nth"
    done
    count=0
    for other in "$folder/$name"/*; do
      read -r pid start 2>/dev/null <"$other" || continue
      if lives "$pid" "$start"; then count=$((count + 1)); else rm -f "$other" && say stale "$name"; fi
    done
    if [ "$count" -gt "$size" ]; then say VIOLATION "$name: $count hold it, $size may" && wrong=1; fi
  elif ! ln "$own" "$folder/$name" 2>/dev/null; then
    read -r pid start 2>/dev/null <"$folder/$name"
    if lives "$pid" "$start"; then
      say VIOLATION "$name: $pid $start holds it too"
      wrong=1
    else
      say stale "$name"
      echo "$me" >"$own.new" && mv -f "$own.new" "$folder/$name"
    fi
  fi
done
say begin "$*"
sleep "$seconds"
for mark in "$@"; do
  name=${mark%%:*} size=${mark#*:}
  if [ "${size%:*}" != 1 ]; then rm -f "$folder/$name/$$".* && continue; fi
  read -r holder 2>/dev/null <"$folder/$name" || holder=nobody
  if [ "$holder" != "$me" ]; then say VIOLATION "$name: $holder took it meanwhile" && wrong=1; else rm -f "$folder/$name"; fi
done
rm -f "$own"
say end "$*"
exit $wrong
