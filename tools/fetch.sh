# For tools/get-*, which source it: an address into a file, taken up where an earlier attempt ended.

size() {
    wc -c <"$1" | tr -d ' '
}

# What is told of an address before it is fetched: the last line of a header of this name, of all answers on the way.
told() { # HEADERS NAME
    tr -d '\r' <"$1" | sed -n "s/^$2: *//Ip" | tail -n 1
}

# Never from https to what anybody on the way can change.
curl_politely() { # ADDRESS ARGUMENTS
    address=$1
    shift
    case "$address" in https:*) set -- --proto-redir =https "$@" ;; *) set -- --proto-redir =https,http "$@" ;; esac
    curl --fail --location --silent --show-error --connect-timeout 30 --speed-time "${FETCH_PATIENCE:-60}" --speed-limit 1 "$@" "$address"
}

# Until PART has BYTES, or, where those are empty, once. Whatever is longer than MOST is another file, and may have no
# end. On failure `why` says how it ended, and what came so far is kept.
fetch_into() { # ADDRESS PART BYTES MOST
    again=3
    until [ -n "$3" ] && [ "$(size "$2")" -ge "$3" ]; do
        status=0
        before=$(size "$2")
        (
            ulimit -f $(($4 / 512 + 2))
            curl_politely "$1" --continue-at - --output "$2"
        ) || status=$?
        [ "$status" != 0 ] || break
        why="curl ends with $status"
        # 33: the server cannot send a part; 36: it has less than came so far
        case "$status" in 33 | 36) : >"$2" ;; esac
        # As long as more comes of it, it goes on.
        [ "$(size "$2")" -gt "$before" ] || again=$((again - 1))
        [ "$again" -gt 0 ] || return 1
        sleep "${FETCH_PAUSE:-1}"
    done
}
