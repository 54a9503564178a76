"""Docker's default seccomp profile as a table, and as a `linux.seccomp` object for one container.

What is not listed fails with EPERM. The facts are those of moby's default profile (2026): which
calls every container may make, which come with a capability, a processor or a kernel version, and
which depend on their arguments.
"""

from wherry.kit.errors import Unsupported

Names = str
"""System calls, separated by blanks."""

_ALWAYS = {
    "files": """
        _llseek access chdir chmod chown chown32 close close_range copy_file_range creat dup
        dup2 dup3 faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod
        fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync flock fstat
        fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd
        getdents getdents64 ioctl lchown lchown32 link linkat listmount lseek lstat lstat64
        mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pipe
        pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink
        readlinkat readv rename renameat renameat2 rmdir sendfile sendfile64 splice stat
        stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs
        tee truncate truncate64 unlink unlinkat utime utimensat utimensat_time64 utimes
        vmsplice write writev
    """,
    "attributes": """
        fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr
        listxattrat llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr
        setxattrat
    """,
    "memory": """
        brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore
        mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall
        munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages
    """,
    "processes": """
        execve execveat exit exit_group fork get_thread_area getpgid getpgrp getpid getppid
        getrandom getrlimit getrusage getsid gettid prlimit64 riscv_hwprobe set_thread_area
        set_tid_address setpgid setrlimit setsid sysinfo ugetrlimit umask uname uretprobe
        vfork wait4 waitid waitpid
    """,
    "identity": """
        capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups
        getgroups32 getresgid getresgid32 getresuid getresuid32 getuid getuid32
        landlock_add_rule landlock_create_ruleset landlock_restrict_self prctl seccomp
        setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32
        setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32
        setuid setuid32
    """,
    "signals": """
        kill pidfd_open pidfd_send_signal restart_syscall rt_sigaction rt_sigpending
        rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
        rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn tgkill
        tkill
    """,
    "scheduling": """
        getcpu getpriority ioprio_get ioprio_set sched_get_priority_max
        sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
        sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
        sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
        setpriority
    """,
    "synchronisation": """
        futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list
        rseq set_robust_list
    """,
    "waiting": """
        _newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait
        epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 fanotify_mark
        inotify_add_watch inotify_init inotify_init1 inotify_rm_watch pause poll ppoll
        ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4
    """,
    "asynchronous": """
        io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup
        io_submit
    """,
    "time": """
        adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64
        clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer
        gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun
        timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
        timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times
    """,
    "ipc": """
        ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
        mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget
        semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
    """,
    "network": """
        accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom
        recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown
        socketcall socketpair
    """,
}

_WITH_CAPABILITY: dict[str, Names] = {
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_ADMIN": """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie
        lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount
        open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog
        umount umount2 unshare
    """,
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module init_module finit_module",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": """
        kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace
    """,
    "CAP_SYS_RAWIO": "iopl ioperm",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYSLOG": "syslog",
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
}

_ON_ARCHITECTURE: tuple[tuple[frozenset[str], Names], ...] = (
    (frozenset({"ppc64le"}), "sync_file_range2 swapcontext"),
    (
        frozenset({"arm", "arm64"}),
        """
        arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls
        """,
    ),
    (frozenset({"amd64", "x32"}), "arch_prctl"),
    (frozenset({"amd64", "x32", "386"}), "modify_ldt"),
    (frozenset({"s390", "s390x"}), "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"),
    (frozenset({"riscv64"}), "riscv_flush_icache"),
)

_SINCE_KERNEL: tuple[tuple[tuple[int, int], Names], ...] = (
    # before 4.8 a tracer could slip calls past the filter
    ((4, 8), "process_vm_readv process_vm_writev ptrace"),
)

_SOCKET_FAMILIES = (  # all but AF_ALG (38) and AF_VSOCK (40), which are not namespaced
    ("SCMP_CMP_LT", 38),
    ("SCMP_CMP_EQ", 39),
    ("SCMP_CMP_GT", 40),
)
_PERSONALITIES = (
    0x0,  # PER_LINUX
    0x8,  # PER_LINUX32
    0x20000,  # UNAME26
    0x20008,  # both
    0xFFFFFFFF,  # only asks
)
_CLONE_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: none without CAP_SYS_ADMIN."""

_ARCHITECTURES = {
    "amd64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "386": ("SCMP_ARCH_X86",),
    "arm64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
    "arm": ("SCMP_ARCH_ARM",),
}
_EPERM, _ENOSYS = 1, 38
_ADMIN = "CAP_SYS_ADMIN"


def default_profile(
    capabilities: frozenset[str], kernel: tuple[int, int], architecture: str
) -> dict[str, object]:
    """Docker's default profile in the form of runtime-spec's `linux.seccomp`.

    `capabilities` are those of the container's bounding set (`CAP_…`), `kernel` is (major, minor),
    `architecture` is written as in image configurations (amd64, arm64). Raises Unsupported.
    """
    if architecture not in _ARCHITECTURES:
        raise Unsupported(f"no default seccomp profile for the architecture {architecture!r}")
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "architectures": list(_ARCHITECTURES[architecture]),
        "syscalls": [
            _allow(_allowed(capabilities, kernel, architecture)),
            *(_allow(["socket"], _compare(*family)) for family in _SOCKET_FAMILIES),
            *(_allow(["personality"], _compare("SCMP_CMP_EQ", each)) for each in _PERSONALITIES),
            *([] if _ADMIN in capabilities else _clone_without_namespaces()),
        ],
    }


def _allowed(capabilities: frozenset[str], kernel: tuple[int, int], architecture: str) -> list[str]:
    names: set[str] = set()
    for group in _ALWAYS.values():
        names.update(group.split())
    for capability, group in _WITH_CAPABILITY.items():
        if capability in capabilities:
            names.update(group.split())
    for architectures, group in _ON_ARCHITECTURE:
        if architecture in architectures:
            names.update(group.split())
    for since, group in _SINCE_KERNEL:
        if kernel >= since:
            names.update(group.split())
    return sorted(names)


def _clone_without_namespaces() -> list[dict[str, object]]:
    """clone3 passes its flags in memory, out of a filter's sight: ENOSYS makes libc use clone."""
    masked: dict[str, object] = {
        "index": 0,
        "value": _CLONE_NAMESPACES,
        "valueTwo": 0,
        "op": "SCMP_CMP_MASKED_EQ",
    }
    return [
        _allow(["clone"], masked),
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
    ]


def _compare(operator: str, value: int) -> dict[str, object]:
    return {"index": 0, "value": value, "op": operator}


def _allow(names: list[str], *arguments: dict[str, object]) -> dict[str, object]:
    rule: dict[str, object] = {"names": names, "action": "SCMP_ACT_ALLOW"}
    if arguments:
        rule["args"] = list(arguments)
    return rule
