/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client of the protocol that does exactly what a test tells it: one call
 * connection, one event connection, one fabric connection.  Transport failures fail
 * the test; statuses are returned.
 */
#ifndef IOPMEM_TESTS_PROTOCOL_PEER_H
#define IOPMEM_TESTS_PROTOCOL_PEER_H

#include "fabric/fabric.h"
#include "wire.h"
#include "status.h"

#define PAGE 4096ULL
#define PEER_SLOTS 16
#define PEER_SEGMENTS 16
#define PEER_UID 1000
#define SHARED_RW (IOPMEM_ACCESS_READ | IOPMEM_ACCESS_WRITE | IOPMEM_ACCESS_SHARED)
#define TO_END UINT64_MAX

struct handle_bytes {
	u_int len;
	char bytes[IOPMEM_HANDLE_MAX];
};

struct peer {
	struct rig *rig;
	struct wire rpc;
	struct wire events;		/* fd -1 until the first EVENT_WAIT */
	char owner[32];
	uint64_t verifier;
	uint64_t id;
	uint8_t instance[16];
	uint32_t lease_ms;
	iopmem_previous previous;	/* of EXCHANGE_ID */
	uint64_t previous_verifier;
	uint8_t previous_instance[16];
	uint32_t sequence[PEER_SLOTS];
	uint64_t acked;
	struct handle_bytes handle;	/* of the last open */
	struct fabric_conn *fabric;	/* NULL: made by the next I/O */
};

/* A LAYOUTGET or LAYOUTRETURN reply, flattened. */
struct reply {
	u_int status;
	iopmem_stateid stateid;
	uint64_t size;
	bool return_on_close;		/* LAYOUTGET */
	bool present;			/* LAYOUTRETURN */
	u_int commit_status;		/* LAYOUTRETURN */
	u_int n;
	iopmem_segment seg[PEER_SEGMENTS];
};

/* Connects; no client id yet. */
void peer_connect(struct peer *p, struct rig *rig, const char *owner, uint32_t uid);
void peer_reconnect(struct peer *p);		/* the call connection */
void peer_join(struct peer *p);			/* with an id: a fabric peer */
u_int peer_exchange_id(struct peer *p, uint64_t verifier);
/* All of it: a connected client PEER_UID with an id and a fabric peer. */
void peer_up(struct peer *p, struct rig *rig, const char *owner);
/* Closes connections; the server keeps the client until its lease ends. */
void peer_drop(struct peer *p);
/* The same after DESTROY_CLIENTID. */
void peer_down(struct peer *p);

/* The next call of @slot. */
iopmem_seq peer_seq(struct peer *p, uint32_t slot);
/* The same sequence again. */
iopmem_seq peer_same_seq(const struct peer *p, uint32_t slot);

u_int peer_renew(struct peer *p);
u_int peer_destroy(struct peer *p);
u_int peer_deviceinfo(struct peer *p, const char *export, iopmem_deviceinfo *info);
u_int peer_lookup(struct peer *p, const char *path, iopmem_attr *attr);
u_int peer_open(struct peer *p, const char *path, u_int access, iopmem_stateid *id);
u_int peer_create(struct peer *p, const char *path, u_int mode, bool guarded,
		  iopmem_stateid *id);		/* for reading and writing */
u_int peer_open_handle(struct peer *p, const struct handle_bytes *h, u_int access,
		       iopmem_stateid *id);
u_int peer_close(struct peer *p, const iopmem_stateid *id);
u_int peer_getattr(struct peer *p, const iopmem_stateid *id, iopmem_attr *attr);
u_int peer_setsize(struct peer *p, const iopmem_stateid *id, uint64_t size);
/* Through the server.  *@n: bytes got; @buf has room for @count. */
u_int peer_pread(struct peer *p, const iopmem_stateid *id, uint64_t offset, u_int count,
		 char *buf, u_int *n, bool *eof);
/* @len times @byte; @ok may be NULL. */
u_int peer_pwrite(struct peer *p, const iopmem_stateid *id, uint64_t offset, char byte,
		  u_int len, iopmem_stable stable, iopmem_write_ok *ok);
u_int peer_allocate(struct peer *p, const iopmem_stateid *id, uint64_t offset,
		    uint64_t length, bool punch, iopmem_attr *attr);
u_int peer_remove(struct peer *p, const char *path);
u_int peer_mkdir(struct peer *p, const char *path);

iopmem_layoutget_args peer_get_args(struct peer *p, const iopmem_stateid *id,
				    iopmem_iomode mode, uint64_t offset, uint64_t length);
void peer_layoutget_with(struct peer *p, const iopmem_layoutget_args *args, struct reply *r);
/* @id is replaced by the layout stateid on success. */
u_int peer_layoutget(struct peer *p, iopmem_stateid *id, iopmem_iomode mode,
		     uint64_t offset, uint64_t length, struct reply *r);
iopmem_layoutreturn_args peer_return_args(struct peer *p, const iopmem_stateid *id,
					  uint64_t offset, uint64_t length);
void peer_layoutreturn_with(struct peer *p, const iopmem_layoutreturn_args *args,
			    struct reply *r);
u_int peer_layoutreturn(struct peer *p, iopmem_stateid *id, uint64_t offset,
			uint64_t length, struct reply *r);
/* One range, or none with @length 0.  *@size is set on success. */
u_int peer_commit(struct peer *p, const iopmem_stateid *id, uint64_t offset,
		  uint64_t length, uint64_t new_size, uint64_t *size);
u_int peer_commit_ranges(struct peer *p, const iopmem_stateid *id,
			 iopmem_wire_range *ranges, u_int n, uint64_t new_size,
			 uint64_t *size);

/* Parks an EVENT_WAIT; peer_event_reply() takes its answer. */
void peer_event_park(struct peer *p, uint32_t timeout_ms);
int peer_event_reply(struct peer *p, iopmem_event_wait_res *res, int timeout_ms);
/* The next event, acknowledged by the following EVENT_WAIT.  False: none in time. */
bool peer_event(struct peer *p, iopmem_event *ev, int timeout_ms);

/*
 * One one-sided operation: 0, -EACCES, -ECONNRESET.  Connects the fabric when it is not;
 * a failure ends that connection.
 */
int peer_write(struct peer *p, uint32_t rkey, uint64_t raddr, char byte, uint32_t len);
int peer_read(struct peer *p, uint32_t rkey, uint64_t raddr, void *buf, uint32_t len);

/* Remote address of file offset @x. */
uint64_t peer_raddr(const iopmem_segment *seg, uint64_t x);

#define assert_status(got, want) \
	assert_status_at(got, want, #got, __FILE__, __LINE__)
void assert_status_at(u_int got, u_int want, const char *what, const char *file, int line);

#endif
