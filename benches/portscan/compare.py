#!/usr/bin/env python3
"""portscan beside nmap, RustScan and a bare loop of connect(2), in network namespaces of its own.

usage: compare.py PORTSCAN [--rounds 5] [--rustscan PATH] [all|hosts|sweep|filtered|accuracy]...

Needs root (or user namespaces), nmap, gcc, iproute2, nftables. The rounds are interleaved; figures are medians. CPU is user and
system time of the scanner alone, memory its peak.
"""
import argparse, os, shutil, socket, statistics, subprocess, sys, tempfile, threading, time

LISTENERS = [22, 25, 53, 80, 110, 143, 443, 993, 1433, 3306, 5432, 6379, 8080, 8443, 9200, 11211, 27017, 40001, 50002, 65535]
HERE = os.path.dirname(os.path.abspath(__file__))

def serve(address):
    for port in LISTENERS:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(512)
        def loop(listener=listener):
            while True:
                listener.accept()[0].close()
        threading.Thread(target=loop, daemon=True).start()

def measure(command):
    """Wall, CPU (s) and peak memory (MB) of a command, and what it printed.

    It is started by a small program (peak.c): a child's peak counts the memory of whoever forked it, and Python's is large."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as usage:
        os.set_inheritable(usage.fileno(), True)
        subprocess.run([PEAK, str(usage.fileno()), *command], stdout=out, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, close_fds=False)
        usage.seek(0)
        wall, cpu, kilobytes = usage.read().split()
        out.seek(0)
        return float(wall), float(cpu), int(kilobytes) / 1024, out.read().decode(errors="replace")

def opened(name, text):
    import re
    if name.startswith("nmap"):
        return {int(m) for m in re.findall(r"^(\d+)/tcp\s+open", text, re.M)}
    if name.startswith("RustScan"):
        return {int(m) for m in re.findall(r"\d+", text.split("->")[-1])} if "->" in text else set()
    if name.startswith("C "):
        return {int(line) for line in text.split()}
    return {int(line.split()[0]) for line in text.split("Opened ports:")[-1].split("\n") if line}

def table(title, commands, rounds, truth=None):
    results = {name: [] for name in commands}
    wrong = {name: [0, 0] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            wall, cpu, memory, text = measure(command)
            results[name].append((wall, cpu, memory))
            if truth is not None:
                got = opened(name, text)
                wrong[name][0] += len(truth - got)
                wrong[name][1] += len(got - truth)
    print(f"\n{title} (median of {rounds})")
    print(f"| {'command':34} | wall s | CPU s | peak MB | missed | false |")
    print(f"|{'-' * 36}|-------:|------:|--------:|-------:|------:|")
    for name, runs in results.items():
        wall, cpu, memory = (statistics.median(column) for column in zip(*runs))
        print(f"| {name:34} | {wall:6.2f} | {cpu:5.2f} | {memory:7.1f} | {wrong[name][0]:6} | {wrong[name][1]:5} |", flush=True)
    return results

def veth(addresses):
    """A second namespace at 10.66.0.2 and up; returns its process."""
    peer = subprocess.Popen(["unshare", "--net", "sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    peer.stdin.write("echo\n"); peer.stdin.flush(); peer.stdout.readline()
    sh(f"ip link add v0 type veth peer name v1; ip link set v1 netns {peer.pid}; ip addr add 10.66.0.1/16 dev v0; ip link set v0 up")
    lines = ["ip link set lo up", "ip link set v1 up"]
    lines += [f"ip addr add 10.66.{2 + i // 250}.{1 + i % 250}/16 dev v1" for i in range(addresses)]
    peer.stdin.write("\n".join(lines) + "\necho\n"); peer.stdin.flush(); peer.stdout.readline()
    return peer

def hosts(portscan, connects, rounds):
    """A probe of one host of 256 beside a probe of a single host, and what of the difference is the system's: the control is a
    loop in C that makes the same calls and knows nothing about hosts."""
    many, one = 256 * 1000, 65_535
    runs = table("256 hosts x 1,000 ports, and one host x 65,535 ports, over veth", {
        "portscan 256 hosts": [*portscan, "10.66.2.1-250,10.66.3.1-6", "1-1000", "--rate", "unlimited"],
        "portscan one host": [*portscan, "10.66.2.1", "1-65535", "--rate", "unlimited"],
        "C connects 256 hosts": [connects, "10.66.2.1", "256", "1000"],
        "C connects one host": [connects, "10.66.2.1", "1", "65535"],
    }, rounds)
    for what, i in (("wall", 0), ("CPU", 1)):
        for name in ("portscan", "C connects"):
            per = [[run[i] / probes * 1e6 for run in runs[f"{name} {which}"]] for which, probes in (("256 hosts", many), ("one host", one))]
            # Of each round alone, so that what else the machine did falls on both.
            ratio = statistics.median(a / b for a, b in zip(*per))
            figures = ", ".join(f"{which} {statistics.median(us):.2f} ({min(us):.2f}) us" for which, us in zip(("256 hosts", "one host"), per))
            print(f"{what} a probe, median (least): {name} {figures}; ratio {ratio:.3f}")

def accuracy(portscan, rounds):
    """All 65,535 ports with 20 listeners, again and again: what was missed, invented or left undecided, whatever the circumstances."""
    def count(name, command):
        missed = invented = undecided = 0
        for _ in range(rounds):
            done = subprocess.run(command, capture_output=True, text=True)
            got = opened("portscan", done.stdout)
            missed, invented, undecided = missed + len(set(LISTENERS) - got), invented + len(got - set(LISTENERS)), undecided + (done.returncode != 0)
        print(f"| {name:44} | {rounds:5} | {missed:6} | {invented:5} | {undecided:10} |", flush=True)
    print(f"\n| {'20 listeners, 65,535 ports':44} | scans | missed | false | not decided |\n|{'-' * 46}|------:|-------:|------:|------------:|", flush=True)
    serve("127.0.0.1")
    loopback = [*portscan, "127.0.0.1", "all"]
    count("loopback", loopback)
    count("loopback, ulimit -n 256", ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *loopback])
    peer = veth(1)
    ask(peer, f"PORTSCAN_BENCH_SERVE=10.66.2.1 python3 {os.path.abspath(__file__)} - & trap 'kill $!' EXIT")
    peer.stdout.readline() # they listen
    for technique in ("connect", "syn"):
        for percent in (1, 5):
            chain = "nft delete table inet loss 2>/dev/null || true; nft add table inet loss; nft 'add chain inet loss input { type filter hook input priority 0; }'; nft 'add rule inet loss input iifname %s numgen random mod 100 < %d drop'"
            sh(chain % ("v0", percent)); ask(peer, chain % ("v1", percent))
            count(f"veth, {percent} % lost each way, {technique}", [*portscan, "10.66.2.1", "all", "--rate", "unlimited", "-t", technique])
    peer.stdin.close(); peer.wait()
    count("loopback, SYN", [*loopback, "-t", "syn"])
    hogs = [subprocess.Popen(["sh", "-c", f"while kill -0 {os.getpid()}; do :; done"]) for _ in range(2 * os.cpu_count())]
    count("loopback, twice as many busy loops as cores", loopback)
    for hog in hogs:
        hog.kill(); hog.wait()

def ask(peer, commands):
    """Runs shell commands in the other namespace, and waits for them and for a line of theirs."""
    peer.stdin.write(commands + "\necho\n"); peer.stdin.flush(); peer.stdout.readline()

def sh(commands):
    subprocess.run(["sh", "-ec", commands], check=True)

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("portscan")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rustscan")
    parser.add_argument("what", nargs="*", default=["all", "hosts", "sweep", "filtered"])
    args = parser.parse_intermixed_args()
    if "PORTSCAN_BENCH_SERVE" in os.environ:
        serve(os.environ["PORTSCAN_BENCH_SERVE"])
        print(flush=True)
        threading.Event().wait()
    if "PORTSCAN_BENCH_NS" not in os.environ:
        os.environ["PORTSCAN_BENCH_NS"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    sh("ip link set lo up")
    work = tempfile.mkdtemp()
    floor = os.path.join(work, "floor")
    global PEAK
    PEAK = os.path.join(work, "peak")
    connects = os.path.join(work, "connects")
    for program in (floor, connects, PEAK):
        subprocess.run(["gcc", "-O2", "-o", program, os.path.join(HERE, os.path.basename(program) + ".c")], check=True)
    portscan = [os.path.abspath(args.portscan)]
    rustscan = args.rustscan and os.path.abspath(args.rustscan)
    if "all" in args.what:
        serve("127.0.0.1")
        commands = {
            "portscan connect": [*portscan, "127.0.0.1", "1-65535"],
            "portscan SYN": [*portscan, "127.0.0.1", "1-65535", "-t", "syn"],
            "nmap -sT -n -Pn -T5": ["nmap", "-sT", "-n", "-Pn", "-T5", "-p-", "127.0.0.1"],
            "nmap -sS -n -Pn -T5": ["nmap", "-sS", "-n", "-Pn", "-T5", "-p-", "127.0.0.1"],
            "C loop of connect, epoll": [floor, "127.0.0.1"],
        }
        if rustscan:
            commands["RustScan -b 1000"] = [rustscan, "-a", "127.0.0.1", "--no-config", "--no-banner", "-g", "-b", "1000", "-r", "1-65535"]
        table("All 65,535 ports of loopback, 20 listeners", commands, args.rounds, set(LISTENERS))
    if {"hosts", "filtered"} & set(args.what):
        peer = veth(256)
        if "hosts" in args.what:
            hosts(portscan, connects, args.rounds)
        if "filtered" in args.what:
            peer.stdin.write("nft add table inet f; nft 'add chain inet f input { type filter hook input priority 0; }'; nft add rule inet f input tcp dport 1001-2000 drop\necho\n")
            peer.stdin.flush(); peer.stdout.readline()
            commands = {"portscan, defaults": [*portscan, "10.66.2.1", "1001-2000"]}
            if rustscan:
                commands["RustScan"] = [rustscan, "-a", "10.66.2.1", "--no-config", "--no-banner", "-g", "-r", "1001-2000"]
            table("1,000 filtered ports, nothing else answering", commands, args.rounds)
        peer.stdin.close(); peer.wait()
    if "accuracy" in args.what:
        accuracy(portscan, args.rounds)
    if "sweep" in args.what:
        table("One port of the 65,536 addresses of 127.1.0.0/16", {"portscan sweep": [*portscan, "127.1.0.0/16", "81", "--order", "port"]}, args.rounds)
    shutil.rmtree(work)

main()
