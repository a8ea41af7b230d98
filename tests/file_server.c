/* See file_server.h. */
#include "tests/file_server.h"

#include "tests/support.h"
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(int connection, const char *head) {
    if (write(connection, head, strlen(head)) < 0) _exit(0);
}

static const file_server *asked_for(const file_server *files, size_t count, const char *request) {
    const char *end = strstr(request, " HTTP");
    for (size_t i = 0; end && i < count; ++i) {
        size_t length = strlen(files[i].path);
        if ((size_t)(end - request) > length && memcmp(end - length, files[i].path, length) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

static void say_head(int connection, const file_server *file, size_t first) {
    char head[512];
    size_t told = (size_t)((long)(file->size - first) + file->lie);
    int used = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n",
                        first ? "206 Partial Content" : "200 OK", told);
    if (first) {
        used += snprintf(head + used, sizeof head - (size_t)used, "Content-Range: bytes %zu-%zu/%zu\r\n",
                         first, file->size - 1, file->size);
    }
    if (file->sum) {
        used += snprintf(head + used, sizeof head - (size_t)used, "X-Linked-Etag: \"%s\"\r\n", file->sum);
    }
    snprintf(head + used, sizeof head - (size_t)used, "\r\n");
    say(connection, head);
}

static void say_moved(int connection, const file_server *file, const char *request) {
    char head[512];
    const char *host = strstr(request, "Host: ");
    snprintf(head, sizeof head,
             "HTTP/1.1 302 Found\r\nLocation: http://%.*s/%s/%s\r\nContent-Length: 0\r\n\r\n",
             host ? (int)strcspn(host + 6, "\r\n") : 0, host ? host + 6 : "", file->moved, file->path);
    say(connection, head);
}

static void answer(int connection, const file_server *files, size_t count, bool *stalled) {
    char request[4096] = "";
    ssize_t got = read(connection, request, sizeof request - 1);
    const file_server *file = got > 0 ? asked_for(files, count, request) : NULL;
    if (!file) {
        say(connection, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
    } else if (file->moved && !strstr(request, file->moved)) {
        say_moved(connection, file, request);
    } else {
        const char *range = strstr(request, "Range: bytes=");
        size_t first = range && !file->no_parts ? strtoul(range + strlen("Range: bytes="), NULL, 10) : 0;
        size_t rest = file->size - first;
        say_head(connection, file, first);
        bool head_only = strncmp(request, "HEAD ", 5) == 0;
        bool stalls = file->stalls_once && !*stalled && !head_only;
        if (stalls) rest /= 2;
        if (file->cut && rest > file->cut) rest = file->cut;
        for (const char *from = (const char *)file->content + first; rest > 0 && !head_only;) {
            ssize_t sent = write(connection, from, rest);
            if (sent <= 0) return;
            from += sent;
            rest -= (size_t)sent;
        }
        if (stalls) {
            *stalled = true;
            while (read(connection, request, sizeof request) > 0) continue; /* until the other gives up */
        }
    }
    shutdown(connection, SHUT_WR);
    while (read(connection, request, sizeof request) > 0) continue;
}

pid_t file_server_start(const file_server *files, size_t count, char **address) {
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof place;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(listener >= 0 && bind(listener, (struct sockaddr *)&place, size) == 0);
    assert_true(listen(listener, 5) == 0 && getsockname(listener, (struct sockaddr *)&place, &size) == 0);
    *address = text("http://127.0.0.1:%d/", ntohs(place.sin_port));
    pid_t child = fork();
    if (child == 0) {
        bool stalled = false;
        signal(SIGPIPE, SIG_IGN);
        for (;;) {
            int connection = accept(listener, NULL, NULL);
            answer(connection, files, count, &stalled);
            close(connection);
        }
    }
    close(listener);
    return child;
}

void file_server_stop(pid_t server) {
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}
