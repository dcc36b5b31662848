/* Decodes with hiredis and counts the replies. One call a piece, so that crossing the language costs nothing. */

#include <hiredis/hiredis.h>
#include <stddef.h>

/* All allocations of the process, C's and Rust's: glibc lets a program define these. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static size_t calls;

void *malloc(size_t size) {
    calls++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    calls++;
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    calls++;
    return __libc_realloc(block, size);
}

size_t shim_allocations(void) { return calls; }

void *shim_reader(void) { return redisReaderCreate(); }

/* The number of replies that this piece completes, or -1. */
long shim_decode(void *reader, const char *piece, size_t len) {
    long replies = 0;
    if (redisReaderFeed(reader, piece, len) != REDIS_OK) return -1;
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(reader, &reply) != REDIS_OK) return -1;
        if (reply == NULL) return replies;
        freeReplyObject(reply);
        replies++;
    }
}
