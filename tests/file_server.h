/* A server on loopback, in a process of its own, that hands out one file and behaves as badly as it is told.
 */
#ifndef FILE_SERVER_H
#define FILE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct file_server {
    const char *path; /* that it answers for, whatever comes before it: "pool.txt"; all else is not there */
    const void *content;
    size_t size;
    bool no_parts;     /* always sends from the beginning */
    size_t cut;        /* breaks off after so many bytes; 0: never */
    long lie;          /* is added to the length that it tells */
    bool stalls_once;  /* the first time it sends half and then nothing more */
    const char *moved; /* sends elsewhere first: the folder there; NULL: it does not */
    const char *sum;   /* what it says the SHA-256 is; NULL: nothing */
} file_server;

/* *address: of its root, "http://127.0.0.1:1234/", to be freed. Several files, one process. */
pid_t file_server_start(const file_server *files, size_t count, char **address);
void file_server_stop(pid_t server);

#endif
