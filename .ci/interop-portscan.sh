#!/usr/bin/env bash
# The reports of portscan in the hands of those who read nmap's: nmap's own DTD, python-nmap and ndiff.
#
# Needs: nmap and ndiff (Debian), xmllint (Debian libxml2-utils), python3 with python-nmap (PyPI), unshare. Takes the program as its
# argument, or builds it. Everything happens in a network namespace of its own.
set -euo pipefail
program=${1:+$(realpath "$1")}
source "$(dirname "$0")/lib.sh"

if [ -z "$program" ]; then
    cargo build -q -p examples --example portscan
    program=$PWD/target/debug/examples/portscan
fi

for tool in nmap ndiff xmllint python3 unshare; do
    command -v "$tool" >/dev/null || { echo "interop-portscan: skipped, $tool is missing"; exit 0; }
done
python3 -c 'import nmap' 2>/dev/null || { echo "interop-portscan: skipped, python-nmap is missing (pip install python-nmap)"; exit 0; }
unshare --net true 2>/dev/null || { echo "interop-portscan: skipped, network namespaces are not permitted"; exit 0; }

logs=("$work"/{scan,nmap}.log)
export program work

unshare --net bash -euo pipefail <<'INSIDE'
ip link set lo up
ip link add zone0 type veth peer name zone1 && ip link set zone1 up && ip link set zone0 up && ip -6 addr add fe80::77/64 dev zone0 nodad
python3 - "$work/ready" <<'LISTENERS' &
import socket, sys, threading
def serve(family, addr, port, banner):
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(socket.getaddrinfo(addr, port, type=socket.SOCK_STREAM)[0][4])
    listener.listen(64)
    def loop():
        while True:
            stream, _ = listener.accept()
            try:
                stream.sendall(banner)
            except OSError:
                pass
            stream.close()
    threading.Thread(target=loop, daemon=True).start()
serve(socket.AF_INET, "127.0.0.1", 22, b"SSH-2.0-Test <&\"'\x01;\r\n")
serve(socket.AF_INET, "127.0.0.1", 80, b"=cmd|' /C calc'!A0\r\n")
serve(socket.AF_INET, "127.0.0.2", 443, b"")
serve(socket.AF_INET6, "::1", 6379, b"")
serve(socket.AF_INET6, "fe80::77%zone0", 6379, b"")
open(sys.argv[1], "w").close()
threading.Event().wait()
LISTENERS
listeners=$!
trap 'kill $listeners' EXIT
await [ -e "$work/ready" ]

scan() { timeout 600 "$program" "$@" >>"$work/scan.log" 2>&1; }
scan "127.0.0.1-2 ::1 fe80::77%zone0 localhost gone.invalid" 1-1000,6379 --banners --service-timeout 60s \
    -o "$work/scan.xml" -o "$work/scan.csv" -o "$work/scan.json" -o "$work/scan.jsonl" -o "$work/scan.txt" || [ $? = 3 ]
scan 127.0.0.3 1-10 -o "$work/none.xml" || [ $? = 1 ]
scan "127.0.0.1-2 ::1 fe80::77%zone0" 22,80,443,6379 -o "$work/before.xml"
scan "127.0.0.1-2 ::1 fe80::77%zone0" 22,81,443 -o "$work/later.xml"
timeout 600 nmap -n -Pn -sT -p 1-1000,6379 -oX "$work/nmap.xml" 127.0.0.1 >"$work/nmap.log" 2>&1

for file in scan none before later; do
    xmllint --noout --dtdvalid "$(dirname "$(dpkg -L nmap-common | grep nmap.dtd)")/nmap.dtd" "$work/$file.xml"
    echo "DTD: $file.xml is valid"
done

python3 - "$work" <<'READ'
import csv, io, json, sys
import nmap

work = sys.argv[1]
scanner = nmap.PortScanner()
with open(f"{work}/scan.xml") as file:
    scanner.analyse_nmap_xml_scan(nmap_xml_output=file.read())
assert scanner.all_hosts() == ["127.0.0.1", "127.0.0.2", "::1", "fe80::77%zone0"], scanner.all_hosts()
assert scanner["127.0.0.1"].state() == "up"
assert scanner["127.0.0.1"].all_protocols() == ["tcp"]
assert scanner["127.0.0.1"].tcp(22)["state"] == "open"
assert scanner["127.0.0.1"].tcp(22)["name"] == "ssh"
assert "SSH-2.0-Test <&\"'" in scanner["127.0.0.1"].tcp(22)["script"]["banner"]
assert scanner["::1"].tcp(6379)["state"] == "open"
assert scanner["fe80::77%zone0"].tcp(6379)["state"] == "open"
assert scanner.scaninfo()["tcp"]["method"] == "connect"
assert scanner.scaninfo()["tcp"]["services"] == "1-1000,6379"
assert "127.0.0.1-2" in scanner.command_line()
assert scanner.scanstats()["totalhosts"] == "4", scanner.scanstats()
print("python-nmap: every accessor answers")

# The same rows as python-nmap's own CSV of the same scan; the products are banners there only as scripts.
theirs = list(csv.reader(io.StringIO(scanner.csv()), delimiter=";"))
with open(f"{work}/scan.csv", newline="") as file:
    ours = list(csv.reader(file, delimiter=";"))
assert ours[0] == theirs[0], (ours[0], theirs[0])
strip = lambda rows: [[cell for i, cell in enumerate(row) if i != 7] for row in rows[1:]]
assert strip(ours) == strip(theirs), (ours, theirs)
assert any(row[7].startswith("'=cmd") for row in ours), "no formula reaches a spreadsheet"
print(f"python-nmap: its CSV and ours have the same {len(ours) - 1} rows")

theirs = nmap.PortScanner()
with open(f"{work}/nmap.xml") as file:
    theirs.analyse_nmap_xml_scan(nmap_xml_output=file.read())
opened = lambda s: sorted(p for p, v in s["127.0.0.1"]["tcp"].items() if v["state"] == "open")
assert opened(scanner) == opened(theirs), (opened(scanner), opened(theirs))
print("python-nmap: nmap and portscan agree on", opened(scanner))

document = json.load(open(f"{work}/scan.json"))
lines = [json.loads(line) for line in open(f"{work}/scan.jsonl")]
assert document["hosts"] == [line["host"] for line in lines if "host" in line]
assert document["unresolved"][0]["name"] == "gone.invalid"
print("JSON: the document and the lines say the same")
READ

# Without banners: Debian's ndiff 7.93 fails on scripts that differ, with nmap's own files too.
ndiff "$work/before.xml" "$work/before.xml" >/dev/null
status=0
ndiff "$work/before.xml" "$work/later.xml" > "$work/ndiff.txt" || status=$?
[ $status = 1 ] || { cat "$work/ndiff.txt"; echo "ndiff gave $status, not 1 for a difference"; exit 1; }
grep -q '^-80/tcp *open' "$work/ndiff.txt"
grep -q 'fe80::77%zone0' "$work/ndiff.txt"
echo "ndiff: loads both and names the port that is gone"
INSIDE
echo "interop-portscan: passed"
