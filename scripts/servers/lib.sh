# Shared helpers for the test-server scripts.  Source it; do not run it.
#
#   SERVERS_STATE  where servers keep data, logs and pid files
#                  (default: a directory under $TMPDIR, one a user)
#   SERVERS_CACHE  where downloads and built binaries are kept between runs
#                  (default: $XDG_CACHE_HOME/firn-test-servers)
#
# Every *-up script is idempotent: it prints KEY=VALUE lines on stdout, safe to
# `eval`, and sends everything else to stderr.  Every *-down script stops only
# the processes its *-up recorded.  With PURGE=1 it also deletes their data.

set -euo pipefail

SERVERS_STATE=${SERVERS_STATE:-${TMPDIR:-/tmp}/firn-servers-$(id -u)}
SERVERS_CACHE=${SERVERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/firn-test-servers}
mkdir -p "$SERVERS_STATE" "$SERVERS_CACHE"

# Small, quick-starting JVMs: these servers live for one test run.
JVM_FLAGS=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto
           -Djava.net.preferIPv4Stack=true -Djava.awt.headless=true)

log() { printf '%s\n' "$*" >&2; }
die() { log "${0##*/}: $*"; exit 1; }
# emit KEY VALUE: a line for `eval`; single quotes only where the shell needs them.
emit() {
  if [[ $2 =~ ^[A-Za-z0-9_./:@%+,=-]*$ ]]; then printf '%s=%s\n' "$1" "$2"
  else printf "%s='%s'\n" "$1" "${2//\'/\'\\\'\'}"; fi
}
need() { local c; for c in "$@"; do command -v "$c" >/dev/null || die "'$c' is not installed"; done; }

# lock NAME: serialise concurrent *-up/*-down of one server (held until exit).
lock() {
  exec 9>"$SERVERS_STATE/.$1.lock"
  flock -w 300 9 || die "another script has held the $1 lock for 5 minutes"
}

# free_ports N: N distinct free TCP ports, below the ephemeral range.
free_ports() {
  local want=$1 p; local -A seen=()
  while ((${#seen[@]} < want)); do
    p=$((20000 + RANDOM % 12000))
    [[ -n ${seen[$p]:-} ]] && continue
    (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null && continue
    seen[$p]=1; echo "$p"
  done
}

# A pid file holds "PID STARTTIME", so that a recycled pid is never signalled;
# a zombie counts as gone.
_starttime() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 !~ /[ZX]/ {print $20}'; }

# running DIR NAME: is the recorded process of that name alive?
running() {
  local pid start
  [[ -f $1/$2.pid ]] && read -r pid start <"$1/$2.pid" || return 1
  [[ -n ${start:-} && $(_starttime "$pid") == "$start" ]]
}

# daemon DIR NAME CMD...: start CMD detached, logging to DIR/NAME.log.
daemon() {
  local dir=$1 name=$2; shift 2
  setsid nohup "$@" >>"$dir/$name.log" 2>&1 </dev/null 9>&- &
  local pid=$!
  echo "$pid $(_starttime "$pid")" >"$dir/$name.pid"
}

# stop DIR NAME [GRACE_SECONDS]: TERM, then KILL.
stop() {
  local dir=$1 name=$2 grace=${3:-15} pid i
  if running "$dir" "$name"; then
    read -r pid _ <"$dir/$name.pid"
    kill -TERM "$pid" 2>/dev/null || true
    for ((i = 0; i < grace * 10; i++)); do running "$dir" "$name" || break; sleep 0.1; done
    if running "$dir" "$name"; then log "$name: still up after ${grace}s, killing"; kill -KILL "$pid" 2>/dev/null || true; fi
  fi
  rm -f "$dir/$name.pid"
}

# await DIR NAME SECONDS CMD...: poll CMD until it succeeds.  Fails at once,
# showing the end of the log, when the process dies.
await() {
  local dir=$1 name=$2 secs=$3 end; shift 3
  end=$((SECONDS + secs))
  until "$@" >/dev/null 2>&1; do
    running "$dir" "$name" || { tail -n 20 "$dir/$name.log" >&2; die "$name exited while starting (log above, $dir/$name.log)"; }
    ((SECONDS < end)) || { tail -n 20 "$dir/$name.log" >&2; die "$name not ready after ${secs}s (log above, $dir/$name.log)"; }
    sleep 0.1
  done
}

# replace FILE: write standard input to FILE, which readers see whole at any time:
# a *-up script also runs where clients are reading the settings of a running server.
replace() {
  cat >"$1.new.$$"
  if cmp -s "$1.new.$$" "$1"; then rm -f "$1.new.$$"; else mv -f "$1.new.$$" "$1"; fi
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# tidy DIR: delete the data of a stopped server when PURGE=1.
tidy() { [[ ${PURGE:-0} == 1 ]] && rm -rf "$1"; return 0; }

# classpath NAME COORD...: resolve Maven coordinates (group:artifact:version
# [:classifier]) with their runtime dependencies; prints the class path.
# A coordinate written "!group:artifact" excludes that dependency everywhere.
classpath() {
  local name=$1; shift
  local key dir cp excl="" c g a v k
  key=$(printf '%s\n' "$@" | sha256sum | cut -c1-12)
  dir=$SERVERS_CACHE/maven/$name-$key; cp=$dir/classpath
  if [[ -s $cp ]] && tr ':' '\0' <"$cp" | xargs -0 ls >/dev/null 2>&1; then cat "$cp"; return; fi
  need mvn
  mkdir -p "$dir"
  for c in "$@"; do
    [[ $c == !* ]] || continue
    IFS=: read -r g a <<<"${c#!}"
    excl+="<exclusion><groupId>$g</groupId><artifactId>$a</artifactId></exclusion>"
  done
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo "<groupId>test.servers</groupId><artifactId>$name</artifactId><version>1</version><packaging>pom</packaging><dependencies>"
    for c in "$@"; do
      [[ $c == !* ]] && continue
      IFS=: read -r g a v k <<<"$c"
      echo "<dependency><groupId>$g</groupId><artifactId>$a</artifactId><version>$v</version>${k:+<classifier>$k</classifier>}${excl:+<exclusions>$excl</exclusions>}</dependency>"
    done
    echo '</dependencies></project>'
  } >"$dir/pom.xml"
  log "resolving $name from Maven (first run only)"
  mvn -q -B -f "$dir/pom.xml" ${MAVEN_REPO_LOCAL:+-Dmaven.repo.local="$MAVEN_REPO_LOCAL"} \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath \
    -DincludeScope=runtime -Dmdep.outputFile="$cp.tmp" >"$dir/mvn.log" 2>&1 ||
    { grep -m5 ERROR "$dir/mvn.log" >&2; die "Maven could not resolve $name (see $dir/mvn.log)"; }
  mv "$cp.tmp" "$cp"; cat "$cp"
}

# go_binary NAME MODULE/PKG@VERSION: build once into the cache; prints its path.
go_binary() {
  local name=$1 spec=$2 dir
  dir=$SERVERS_CACHE/go/$(printf '%s' "$spec" | tr '/@' '__')
  if [[ ! -x $dir/$name ]]; then
    need go
    log "building $spec (first run only; takes minutes)"
    GOBIN=$dir GOFLAGS= CGO_ENABLED=0 go install -trimpath "$spec" >&2 || die "could not build $spec"
  fi
  echo "$dir/$name"
}
