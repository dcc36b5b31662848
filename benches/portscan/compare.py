#!/usr/bin/env python3
"""portscan beside nmap, RustScan and a bare loop of connect(2), in network namespaces of its own.

usage: compare.py PORTSCAN [--rounds 5] [--rustscan PATH] [all|hosts|sweep|filtered|accuracy]...

Needs root (or user namespaces), nmap, gcc, iproute2, nftables. The rounds are interleaved; figures are medians. CPU is user and
system time of the scanner alone, memory its peak.
"""
import argparse, os, resource, shutil, socket, statistics, subprocess, sys, tempfile, threading, time

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

def measure(command, timeout=300):
    """Wall, CPU (s) and peak memory (MB) of a command, and what it printed."""
    with tempfile.TemporaryFile() as out:
        begun = time.monotonic()
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - begun
        out.seek(0)
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read().decode(errors="replace")

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

def sh(commands):
    subprocess.run(["sh", "-ec", commands], check=True)

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("portscan")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rustscan")
    parser.add_argument("what", nargs="*", default=["all", "hosts", "sweep", "filtered"])
    args = parser.parse_intermixed_args()
    if "PORTSCAN_BENCH_NS" not in os.environ:
        os.environ["PORTSCAN_BENCH_NS"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    sh("ip link set lo up")
    work = tempfile.mkdtemp()
    floor = os.path.join(work, "floor")
    subprocess.run(["gcc", "-O2", "-o", floor, os.path.join(HERE, "floor.c")], check=True)
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
            wide = table("256 hosts x 1,000 ports over veth", {"portscan 256 hosts": [*portscan, "10.66.2.1-250,10.66.3.1-6", "1-1000", "--rate", "unlimited"]}, args.rounds)
            one = table("One host x 65,535 ports over veth", {"portscan one host": [*portscan, "10.66.2.1", "1-65535", "--rate", "unlimited"]}, args.rounds)
            per = lambda runs, n, i: statistics.median(run[i] for run in runs) / n * 1e6
            for what, i in (("wall", 0), ("CPU", 1)):
                print(f"{what} a probe: 256 hosts {per(wide['portscan 256 hosts'], 256_000, i):.1f} us, one host {per(one['portscan one host'], 65_535, i):.1f} us")
        if "filtered" in args.what:
            peer.stdin.write("nft add table inet f; nft 'add chain inet f input { type filter hook input priority 0; }'; nft add rule inet f input tcp dport 1001-2000 drop\necho\n")
            peer.stdin.flush(); peer.stdout.readline()
            commands = {"portscan, defaults": [*portscan, "10.66.2.1", "1001-2000"]}
            if rustscan:
                commands["RustScan"] = [rustscan, "-a", "10.66.2.1", "--no-config", "--no-banner", "-g", "-r", "1001-2000"]
            table("1,000 filtered ports, nothing else answering", commands, args.rounds)
        peer.stdin.close(); peer.wait()
    if "sweep" in args.what:
        table("One port of the 65,536 addresses of 127.1.0.0/16", {"portscan sweep": [*portscan, "127.1.0.0/16", "81", "--order", "port"]}, args.rounds)
    shutil.rmtree(work)

main()
