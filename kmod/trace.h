/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: /sys/kernel/tracing/events/iopmem/ */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iopmem

#if !defined(IOPMEM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define IOPMEM_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(iopmem_map,
	TP_PROTO(unsigned long ino, u64 offset, u64 length, u32 iomode,
		 u32 extents, int ret),
	TP_ARGS(ino, offset, length, iomode, extents, ret),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(u64, offset)
		__field(u64, length)
		__field(u32, iomode)
		__field(u32, extents)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->offset = offset;
		__entry->length = length;
		__entry->iomode = iomode;
		__entry->extents = extents;
		__entry->ret = ret;
	),
	TP_printk("ino %lu offset %#llx length %#llx %s extents %u ret %d",
		  __entry->ino, __entry->offset, __entry->length,
		  __entry->iomode == IOPMEM_IOMODE_RW ? "RW" : "READ",
		  __entry->extents, __entry->ret)
);

TRACE_EVENT(iopmem_extend,
	TP_PROTO(unsigned long ino, u64 offset, u64 length, int ret),
	TP_ARGS(ino, offset, length, ret),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(u64, offset)
		__field(u64, length)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->offset = offset;
		__entry->length = length;
		__entry->ret = ret;
	),
	TP_printk("ino %lu offset %#llx length %#llx ret %d", __entry->ino,
		  __entry->offset, __entry->length, __entry->ret)
);

TRACE_EVENT(iopmem_trim,
	TP_PROTO(unsigned long ino, u64 new_size, int ret),
	TP_ARGS(ino, new_size, ret),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(u64, new_size)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->new_size = new_size;
		__entry->ret = ret;
	),
	TP_printk("ino %lu to %#llx ret %d", __entry->ino, __entry->new_size,
		  __entry->ret)
);

TRACE_EVENT(iopmem_commit,
	TP_PROTO(unsigned long ino, u32 ranges, u64 old_size, u64 new_size, int ret),
	TP_ARGS(ino, ranges, old_size, new_size, ret),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(u32, ranges)
		__field(u64, old_size)
		__field(u64, new_size)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->ranges = ranges;
		__entry->old_size = old_size;
		__entry->new_size = new_size;
		__entry->ret = ret;
	),
	TP_printk("ino %lu ranges %u size %#llx -> %#llx ret %d", __entry->ino,
		  __entry->ranges, __entry->old_size, __entry->new_size,
		  __entry->ret)
);

TRACE_EVENT(iopmem_break,
	TP_PROTO(unsigned long ino, int why),
	TP_ARGS(ino, why),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(int, why)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->why = why;
	),
	TP_printk("ino %lu: %s", __entry->ino,
		  __print_symbolic(__entry->why, { 0, "lease" },
				   { 1, "busy page" }, { 2, "extend stuck" },
				   { 3, "blocks moved" }, { 4, "device removal" },
				   { 5, "waiter" }))
);

TRACE_EVENT(iopmem_release,
	TP_PROTO(unsigned long ino, bool orphan),
	TP_ARGS(ino, orphan),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(bool, orphan)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->orphan = orphan;
	),
	TP_printk("ino %lu%s", __entry->ino, __entry->orphan ? " (orphan)" : "")
);

TRACE_EVENT(iopmem_open,
	TP_PROTO(unsigned long ino, bool writable, u32 reason, int ret),
	TP_ARGS(ino, writable, reason, ret),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(bool, writable)
		__field(u32, reason)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->writable = writable;
		__entry->reason = reason;
		__entry->ret = ret;
	),
	TP_printk("ino %lu %s reason %u ret %d", __entry->ino,
		  __entry->writable ? "writable" : "read-only",
		  __entry->reason, __entry->ret)
);

TRACE_EVENT(iopmem_unmap,
	TP_PROTO(unsigned long ino, u64 offset, u64 length, int ret),
	TP_ARGS(ino, offset, length, ret),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(u64, offset)
		__field(u64, length)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->offset = offset;
		__entry->length = length;
		__entry->ret = ret;
	),
	TP_printk("ino %lu offset %#llx length %#llx ret %d", __entry->ino,
		  __entry->offset, __entry->length, __entry->ret)
);

TRACE_EVENT(iopmem_revoke,
	TP_PROTO(unsigned long ino),
	TP_ARGS(ino),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
	),
	TP_fast_assign(
		__entry->ino = ino;
	),
	TP_printk("ino %lu", __entry->ino)
);

TRACE_EVENT(iopmem_dmabuf_export,
	TP_PROTO(unsigned long ino, u64 offset, u64 length, bool rw, int ret),
	TP_ARGS(ino, offset, length, rw, ret),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(u64, offset)
		__field(u64, length)
		__field(bool, rw)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->offset = offset;
		__entry->length = length;
		__entry->rw = rw;
		__entry->ret = ret;
	),
	TP_printk("ino %lu offset %#llx length %#llx %s ret %d", __entry->ino, __entry->offset,
		  __entry->length, __entry->rw ? "RW" : "READ", __entry->ret)
);

TRACE_EVENT(iopmem_dmabuf_attach,
	TP_PROTO(unsigned long ino, u64 offset, const char *importer, int ret),
	TP_ARGS(ino, offset, importer, ret),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(u64, offset)
		__field(int, ret)
		__array(char, importer, 32)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->offset = offset;
		__entry->ret = ret;
		strscpy(__entry->importer, importer, sizeof(__entry->importer));
	),
	TP_printk("ino %lu offset %#llx %s ret %d", __entry->ino, __entry->offset,
		  __entry->importer, __entry->ret)
);

TRACE_EVENT(iopmem_dmabuf_map,
	TP_PROTO(unsigned long ino, u64 offset, u64 length, const char *importer,
		 int ret),
	TP_ARGS(ino, offset, length, importer, ret),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(u64, offset)
		__field(u64, length)
		__field(int, ret)
		__array(char, importer, 32)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->offset = offset;
		__entry->length = length;
		__entry->ret = ret;
		strscpy(__entry->importer, importer, sizeof(__entry->importer));
	),
	TP_printk("ino %lu offset %#llx length %#llx %s ret %d", __entry->ino, __entry->offset,
		  __entry->length, __entry->importer, __entry->ret)
);

TRACE_EVENT(iopmem_dmabuf_unmap,
	TP_PROTO(unsigned long ino, u64 offset, u64 length, const char *importer),
	TP_ARGS(ino, offset, length, importer),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(u64, offset)
		__field(u64, length)
		__array(char, importer, 32)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->offset = offset;
		__entry->length = length;
		strscpy(__entry->importer, importer, sizeof(__entry->importer));
	),
	TP_printk("ino %lu offset %#llx length %#llx %s", __entry->ino, __entry->offset,
		  __entry->length, __entry->importer)
);

TRACE_EVENT(iopmem_dmabuf_revoke,
	TP_PROTO(unsigned long ino, u64 offset, u64 length, unsigned int mappings),
	TP_ARGS(ino, offset, length, mappings),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(u64, offset)
		__field(u64, length)
		__field(unsigned int, mappings)
	),
	TP_fast_assign(
		__entry->ino = ino;
		__entry->offset = offset;
		__entry->length = length;
		__entry->mappings = mappings;
	),
	TP_printk("ino %lu offset %#llx length %#llx still mapped %u",
		  __entry->ino, __entry->offset, __entry->length, __entry->mappings)
);

#endif /* IOPMEM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
