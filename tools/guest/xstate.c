/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For User-Mode Linux 6.1 on processors with AMX: keeps registers that it has no room for.
 *
 * It saves the extended registers of its processes into 2,696 bytes and writes them back from
 * there. Where AMX makes the state larger, the host refuses a write that is not of the whole
 * state, and the guest panics at its first process ("ptrace set fp regs failed, errno = 14").
 * Preloaded, this takes the missing tail from the process as it is. The guest uses no AMX.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define NT_X86_XSTATE 0x202

long ptrace(enum __ptrace_request request, ...)
{
	static char state[65536] __attribute__((aligned(64)));
	struct iovec whole = { state, sizeof(state) };
	va_list arguments;
	pid_t pid;
	void *address, *data;
	long peeked, result;

	va_start(arguments, request);
	pid = va_arg(arguments, pid_t);
	address = va_arg(arguments, void *);
	data = va_arg(arguments, void *);
	va_end(arguments);

	if (request == PTRACE_SETREGSET && (long)address == NT_X86_XSTATE) {
		const struct iovec *given = data;

		if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole) < 0)
			return -1;
		if (given->iov_len < whole.iov_len) {
			memcpy(state, given->iov_base, given->iov_len);
			data = &whole;
		}
	}
	if (request >= PTRACE_PEEKTEXT && request <= PTRACE_PEEKUSER) {
		/* The system call stores what the library's function returns. */
		result = syscall(SYS_ptrace, request, pid, address, &peeked);
		return result < 0 ? result : peeked;
	}
	return syscall(SYS_ptrace, request, pid, address, data);
}
