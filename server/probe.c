// SPDX-License-Identifier: BSD-3-Clause
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "export.h"
#include "reach.h"

#define PROBE_BYTES	65536U		/* a multiple of every granule there is */
#define PROBE_MS	10000		/* each step */
#define PORTS_MAX	32

/* One port and one export. */
struct probe {
	struct server *srv;
	struct export *exp;
	const struct fabric_port *port;
	struct backing_file *file;
	struct memsrc src;		/* of PROBE_BYTES at the begin of @file */
	struct fabric_peer *peer;
	struct fabric_conn *conn;
	struct fabric_mr *mr;
	struct fabric_buf *buf;
	uint64_t *nic;			/* what the NIC sends and receives */
	uint64_t *cpu;			/* what the CPU writes and has read */
	bool stuck;			/* the NIC keeps the card's memory */
};

/* ---- the CPU's view ---- */

/* Words, as a BAR wants them; the compiler may neither merge nor drop them. */
static int cpu_write(const struct probe *p)
{
	volatile uint64_t *to = p->src.addr;
	size_t n = PROBE_BYTES / sizeof(*to);

	if (!to)
		return pwrite(p->src.fd, p->cpu, PROBE_BYTES, (off_t)p->src.file_offset) ==
		       PROBE_BYTES ? 0 : -EIO;
	for (size_t i = 0; i < n; i++)
		to[i] = p->cpu[i];
	/* Out of the write-combining buffers; then the read pushes what is posted. */
	atomic_thread_fence(memory_order_seq_cst);
	return to[n - 1] == p->cpu[n - 1] ? 0 : -EIO;
}

static int cpu_read(const struct probe *p)
{
	volatile const uint64_t *from = p->src.addr;

	if (!from)
		return pread(p->src.fd, p->cpu, PROBE_BYTES, (off_t)p->src.file_offset) ==
		       PROBE_BYTES ? 0 : -EIO;
	atomic_thread_fence(memory_order_seq_cst);
	for (size_t i = 0; i < PROBE_BYTES / sizeof(*from); i++)
		p->cpu[i] = from[i];
	return 0;
}

/* ---- the NIC's view ---- */

static int nic_do(const struct probe *p, enum fabric_op op, uint32_t offset, uint32_t len,
		  struct iopmem_err *err)
{
	const char *what = op == FABRIC_OP_WRITE ? "write into" : "read of";
	struct fabric_wc wc;
	int rc;

	rc = fabric_post(p->conn, op, p->buf, (char *)p->nic + offset, len,
			 fabric_mr_rkey(p->mr), fabric_mr_addr(p->mr) + offset, NULL);
	if (!rc)
		rc = fabric_poll(p->conn, &wc, 1, PROBE_MS);
	if (!rc)
		return err_msg(err, ETIMEDOUT, "the NIC's %s the card is not done after %d s",
			       what, PROBE_MS / 1000);
	rc = rc < 0 ? rc : wc.status;
	return rc ? err_set(err, -rc, "the NIC's %s the card fails", what) : 0;
}

static int compare(const struct probe *p, const char *what, struct iopmem_err *err)
{
	const unsigned char *a = (const void *)p->nic, *b = (const void *)p->cpu;
	size_t i, wrong = 0, first = 0;

	for (i = 0; i < PROBE_BYTES; i++)
		if (a[i] != b[i] && !wrong++)
			first = i;
	return wrong ? err_msg(err, EREMOTEIO, "%s: %zu of %u bytes are others, the first at %zu",
			       what, wrong, PROBE_BYTES, first) : 0;
}

static void random_bytes(uint64_t *to)
{
	size_t done = 0;

	while (done < PROBE_BYTES) {
		ssize_t n = getrandom((char *)to + done, PROBE_BYTES - done, 0);

		done += n > 0 ? (size_t)n : 0;
	}
}

/* The read of the last bytes is what clients flush with. */
static int nic_to_cpu(const struct probe *p, struct iopmem_err *err)
{
	uint32_t last = PROBE_BYTES - p->exp->info.granule;
	int rc;

	random_bytes(p->nic);
	rc = nic_do(p, FABRIC_OP_WRITE, 0, PROBE_BYTES, err);
	if (rc)
		return rc;
	memcpy(p->cpu, p->nic, PROBE_BYTES);
	rc = nic_do(p, FABRIC_OP_READ, last, PROBE_BYTES - last, err);
	if (!rc)
		rc = compare(p, "the NIC reads what it wrote into the card", err);
	if (!rc && cpu_read(p))
		rc = err_msg(err, EIO, "the CPU cannot read the card");
	return rc ? rc : compare(p, "the CPU reads what the NIC wrote into the card", err);
}

static int cpu_to_nic(const struct probe *p, struct iopmem_err *err)
{
	int rc;

	random_bytes(p->cpu);
	if (cpu_write(p))
		return err_msg(err, EIO, "the CPU cannot write the card");
	memset(p->nic, 0, PROBE_BYTES);
	rc = nic_do(p, FABRIC_OP_READ, 0, PROBE_BYTES, err);
	return rc ? rc : compare(p, "the NIC reads what the CPU wrote into the card", err);
}

/* ---- connection and region ---- */

static int dial(struct probe *p, struct iopmem_err *err)
{
	const struct fabric_info *info = &p->srv->fabric_info;
	uint8_t token[FABRIC_TOKEN_SIZE];
	struct fabric_conn_attr attr = {
		.provider = info->provider, .address = p->port->address, .port = info->port,
		.token = token, .depth = 1, .timeout_ms = PROBE_MS,
		.min_path_mtu = info->min_path_mtu,
	};
	int rc;

	rc = fabric_peer_new(p->srv->fabric, PROBE_CLIENTID, &p->peer, err);
	if (!rc && fabric_peer_token(p->peer, token))
		rc = err_msg(err, EIO, "no token for the probe");
	if (!rc)
		rc = fabric_connect(&attr, &p->conn, err);
	if (!rc)
		rc = fabric_mr_reg(p->peer, &p->src, FABRIC_READ | FABRIC_WRITE, &p->mr, err);
	return rc ? rc : fabric_buf_reg(p->conn, p->nic, PROBE_BYTES, &p->buf, err);
}

/* Also of what is half there.  An operation may still be under way. */
static void hang_up(struct probe *p)
{
	int rc = p->mr ? fabric_mr_dereg(p->mr) : 0;

	if (p->buf)
		fabric_buf_dereg(p->buf);
	if (p->conn)
		fabric_disconnect(p->conn);
	p->stuck = rc;
	if (p->stuck)
		log_error("export '%s': %s does not give the probe's memory back: %s",
			  p->exp->cfg->name, p->port->device, strerror(-rc));
	else
		fabric_peer_free(p->peer);
}

/* ---- memory on the card ---- */

/* A file without a name: blocks of the file system's own that are nobody else's. */
static int make_file(struct probe *p, struct iopmem_err *err)
{
	const struct backing_ops *ops = p->exp->ops;
	int fd, rc;

	fd = open(p->exp->cfg->path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(err, errno, "make a file for the probe in '%s'",
			       p->exp->cfg->path);
	rc = ops->file_open(p->exp->backing, fd, NULL, &p->file, err);
	close(fd);
	return rc ? rc : ops->set_size(p->file, PROBE_BYTES, err);
}

static int with_memory(struct probe *p, struct iopmem_err *err)
{
	const struct range all = { 0, PROBE_BYTES };
	const struct backing_ops *ops = p->exp->ops;
	struct backing_extent ext;
	uint64_t size;
	size_t n = 1;
	int rc;

	rc = ops->map(p->file, all, BACKING_RW, &ext, &n, &size, err);
	if (rc)
		return rc;
	if (n != 1 || range_len(ext.range) != PROBE_BYTES || ext.state != BACKING_RW_DATA)
		rc = err_msg(err, EIO, "the file for the probe has no blocks");
	if (!rc)
		rc = ops->mem_get(p->file, all, BACKING_RW, &p->src, err);
	if (!rc) {
		rc = dial(p, err);
		if (!rc)
			rc = nic_to_cpu(p, err);
		if (!rc)
			rc = cpu_to_nic(p, err);
		hang_up(p);
		if (p->stuck)
			return rc ? rc : err_msg(err, EIO, "the NIC keeps the card's memory");
		ops->mem_put(p->file, &p->src);
	}
	if (ops->unmap)
		ops->unmap(p->file, all, NULL);
	return rc;
}

static int with_file(struct probe *p, struct iopmem_err *err)
{
	const struct backing_ops *ops = p->exp->ops;
	int rc = make_file(p, err);

	if (!rc)
		rc = ops->layout_open(p->file, err);
	if (!rc) {
		rc = with_memory(p, err);
		if (p->stuck)		/* then everything lives as long as this process */
			return rc;
		ops->layout_close(p->file);
	}
	if (p->file)
		ops->file_close(p->file);
	return rc;
}

/* ---- all of them ---- */

/* Where requests go to another address than the card's even the attempt does damage. */
static int check_verdict(const struct probe *p, struct iopmem_err *err)
{
	char line[1024];

	if (!reach_verdict(p->exp->cfg->path, p->port->device, line, sizeof(line)))
		return 0;
	log_info("export '%s': %s: %s", p->exp->cfg->name, p->port->device, line);
	return strncmp(line, "bad ", 4) ? 0 : err_msg(err, EHOSTUNREACH, "%.400s", line);
}

static int probe_one(struct server *srv, struct export *exp, const struct fabric_port *port,
		     struct iopmem_err *err)
{
	struct probe p = { .srv = srv, .exp = exp, .port = port };
	uint64_t start = clock_ms();
	int rc = -ENOMEM;

	p.nic = aligned_alloc(PROBE_BYTES, PROBE_BYTES);
	p.cpu = aligned_alloc(PROBE_BYTES, PROBE_BYTES);
	if (p.nic && p.cpu)
		rc = check_verdict(&p, err);
	else
		err_set(err, ENOMEM, "memory for the probe");
	if (!rc)
		rc = with_file(&p, err);
	if (!rc)
		log_info("export '%s': probe through %s port %u (%s): passed in %llu ms",
			 exp->cfg->name, port->device, port->port, port->address,
			 (unsigned long long)(clock_ms() - start));
	free(p.nic);
	free(p.cpu);
	return rc;
}

/* A full or read-only file system says nothing about the NIC. */
static bool no_room(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT || rc == -EROFS;
}

static int judge(const struct server *srv, const struct export *exp,
		 const struct fabric_port *port, int rc, const struct iopmem_err *why,
		 struct iopmem_err *err)
{
	if (no_room(rc)) {
		log_warn("export '%s': not probed through %s port %u: %s", exp->cfg->name,
			 port->device, port->port, why->text);
		return 0;
	}
	if (srv->cfg.probe == PROBE_WARN) {
		log_warn("export '%s': probe through %s port %u (%s) failed, clients there will see wrong bytes or none: %s",
			 exp->cfg->name, port->device, port->port, port->address, why->text);
		return 0;
	}
	return err_msg(err, -rc, "export '%s': probe through %s port %u (%s): %s (see iopmemctl doctor; probe=warn serves all the same)",
		       exp->cfg->name, port->device, port->port, port->address, why->text);
}

int probe_exports(struct server *srv, struct iopmem_err *err)
{
	struct fabric_port ports[PORTS_MAX];
	unsigned int e;
	int i, n, rc = 0;

	if (srv->cfg.probe == PROBE_OFF)
		return 0;
	n = fabric_server_ports(srv->fabric, ports, PORTS_MAX, err);
	for (i = 0; i < n && !rc; i++) {
		for (e = 0; e < srv->cfg.nr_exports && !rc; e++) {
			struct iopmem_err why = { 0 };

			rc = probe_one(srv, &srv->exports[e], &ports[i], &why);
			if (rc)
				rc = judge(srv, &srv->exports[e], &ports[i], rc, &why, err);
		}
	}
	return n < 0 ? n : rc;
}
