"""A VRRP router of another make, and a liar where a test wants one: scapy on the interface that the argument names.

Standard input takes one JSON object a line, standard output gives one a line. Every moment is of one clock, in seconds.

    {"do": "advertise", "name": "rival", "every": 0.1, "packet": {...}}   at once and again and again, until it is stopped
    {"do": "stop", "name": "rival"}
    {"do": "send", "name": "once", "packet": {...}}                       once
    {"do": "ask", "address": "192.168.0.33"}                              who has it? by ARP, or by a neighbour solicitation
    {"do": "ping", "address": "192.168.0.33", "hardware": "02:..."}       an echo request to that hardware address
    {"do": "datagram", "name": "forged", "packet": {"source", "destination", "hardware", "port", "payload" in hexadecimal}}

A packet that advertises has version, vrid, priority, interval (as its field has it), addresses, source, destination. Some of it may be wrong:
hardware, ttl, type, count, checksum, password, `message` (octets in the place of all of it).

What is said: {"saw": "ready"}, "sent", "advert", "announcement", "answer", "echo", "joined", and "heartbeat": a datagram between the nodes, of
whichever direction.
"""

import json
import logging
import socket
import struct
import sys
import threading
import time

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

from scapy.contrib.igmpv3 import IGMPv3gr, IGMPv3mr
from scapy.layers import inet6
from scapy.layers.inet import ICMP, IP, UDP, in4_chksum
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, IPv6, in6_chksum
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vrrp import VRRP, VRRPv3
from scapy.packet import Raw
from scapy.utils import checksum, str2mac

VRRP_PROTOCOL = 112
HEARTBEAT_PORT = 1112
OUTGOING = 4  # PACKET_OUTGOING of packet(7)
SO_TIMESTAMPNS = 35

interface = sys.argv[1]
tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
tap.bind((interface, 0))
tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
own_hardware = str2mac(tap.getsockname()[4])
speaking = threading.Lock()


def say(saw, at, **fields):
    with speaking:
        print(json.dumps({"saw": saw, "at": at, **fields}), flush=True)


# What is sent.


def hardware_of_group(address):
    if ":" in address:
        return "33:33:" + str2mac(socket.inet_pton(socket.AF_INET6, address)[-4:] + b"\0\0")[:11]
    low = socket.inet_aton(address)
    return "01:00:5e:%02x:%02x:%02x" % (low[1] & 0x7F, low[2], low[3])


def below(source, destination, ttl, **fields):
    if ":" in source:
        return IPv6(src=source, dst=destination, hlim=ttl, **fields)
    return IP(src=source, dst=destination, ttl=ttl, **{("proto" if key == "nh" else key): v for key, v in fields.items()})


def message(packet):
    common = {"type": packet.get("type", 1), "vrid": packet["vrid"], "priority": packet["priority"], "adv": packet["interval"]}
    common |= {"addrlist": packet["addresses"], "ipcount": packet.get("count"), "chksum": packet.get("checksum")}
    if packet["version"] != 2:
        return VRRPv3(version=packet["version"], **common)
    password = packet.get("password", "").encode().ljust(8, b"\0")
    first, second = struct.unpack("!II", password)
    return VRRP(version=2, authtype=int(password != bytes(8)), auth1=first, auth2=second, **common)


def advert(packet):
    ip = below(packet["source"], packet["destination"], packet.get("ttl", 255), nh=VRRP_PROTOCOL)
    hardware = packet.get("hardware") or hardware_of_group(packet["destination"])
    body = Raw(bytes.fromhex(packet["message"])) if "message" in packet else message(packet)
    return bytes(Ether(src=own_hardware, dst=hardware) / ip / body)


def datagram(packet):
    ip = below(packet["source"], packet["destination"], 64)
    udp = UDP(sport=packet["port"], dport=packet["port"])
    return bytes(Ether(src=own_hardware, dst=packet["hardware"]) / ip / udp / Raw(bytes.fromhex(packet["payload"])))


def question(address, own):
    if ":" not in address:
        return Ether(src=own_hardware, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=own_hardware, psrc=own, pdst=address)
    group = socket.inet_ntop(socket.AF_INET6, inet6.in6_getnsma(socket.inet_pton(socket.AF_INET6, address)))
    solicitation = ICMPv6ND_NS(tgt=address) / inet6.ICMPv6NDOptSrcLLAddr(lladdr=own_hardware)
    return Ether(src=own_hardware, dst=hardware_of_group(group)) / IPv6(src=own, dst=group, hlim=255) / solicitation


def ping(address, hardware, own):
    echo = ICMPv6EchoRequest() if ":" in address else ICMP()
    return Ether(src=own_hardware, dst=hardware) / below(own, address, 64) / echo


def send(name, frame):
    at = time.monotonic()
    tap.send(frame)
    say("sent", at, name=name)


advertising = {}


def advertise(name, frame, every, stopped):
    due = time.monotonic()
    while not stopped.is_set():
        send(name, frame)
        due += every
        stopped.wait(max(0, due - time.monotonic()))


def stop(name):
    stopped, thread = advertising.pop(name)
    stopped.set()
    thread.join()


def obey(order):
    do, name = order["do"], order.get("name", "")
    if do == "advertise":
        stopped = threading.Event()
        thread = threading.Thread(target=advertise, args=(name, advert(order["packet"]), order["every"], stopped))
        advertising[name] = (stopped, thread)
        thread.start()
    elif do == "stop":
        stop(name)
    elif do == "send":
        send(name, advert(order["packet"]))
    elif do == "ask":
        tap.send(bytes(question(order["address"], order["own"])))
    elif do == "ping":
        tap.send(bytes(ping(order["address"], order["hardware"], order["own"])))
    elif do == "datagram":
        send(name, datagram(order["packet"]))
    else:
        sys.exit(f"no such order: {do}")


# What is seen.


def saw_advert(at, ether, ip):
    router = ip.payload
    octets = bytes(router)
    if ether.type == 0x86DD:
        total, hops, kind = in6_chksum(VRRP_PROTOCOL, ip, octets), ip.hlim, ip.tc
    else:
        total, hops, kind = in4_chksum(VRRP_PROTOCOL, ip, octets) if router.version == 3 else checksum(octets), ip.ttl, ip.tos
    fields = {"version": router.version, "vrid": router.vrid, "priority": router.priority, "interval": router.adv}
    fields |= {"addresses": router.addrlist, "source": ip.src, "destination": ip.dst, "ttl": hops, "traffic_class": kind}
    say("advert", at, checksum_holds=total == 0, from_hardware=ether.src, to_hardware=ether.dst, **fields)


def saw_arp(at, arp):
    if arp.psrc == arp.pdst:
        say("announcement", at, address=arp.psrc, hardware=arp.hwsrc, form="reply" if arp.op == 2 else "request")
    elif arp.op == 2:
        say("answer", at, address=arp.psrc, hardware=arp.hwsrc)


def saw_neighbour(at, ip):
    said = ip[ICMPv6ND_NA]
    option = said.getlayer(inet6.ICMPv6NDOptDstLLAddr)
    hardware = option.lladdr if option else ""
    if ip.dst == "ff02::1":
        say("announcement", at, address=said.tgt, hardware=hardware, form="override" if said.O else "plain")
    else:
        say("answer", at, address=said.tgt, hardware=hardware)


def saw_groups(at, records, layer):
    """Scapy takes what follows a record for the payload of that record."""
    for record in records:
        while isinstance(record, layer):
            say("joined", at, group=record.maddr if layer is IGMPv3gr else record.dst)
            record = record.payload


def saw(at, frame):
    ether = Ether(frame)
    ip = ether.payload
    if ARP in ether:
        saw_arp(at, ether[ARP])
    elif isinstance(ip, (IP, IPv6)) and isinstance(ip.payload, (VRRP, VRRPv3)):
        saw_advert(at, ether, ip)
    elif IGMPv3mr in ether:
        saw_groups(at, ether[IGMPv3mr].records, IGMPv3gr)
    elif inet6.ICMPv6MLReport2 in ether:
        saw_groups(at, ether[inet6.ICMPv6MLReport2].records, inet6.ICMPv6MLDMultAddrRec)
    elif ICMPv6ND_NA in ether:
        saw_neighbour(at, ip)
    elif ICMPv6EchoReply in ether or (ICMP in ether and ether[ICMP].type == 0):
        say("echo", at, address=ip.src)


def is_heartbeat(frame):
    return frame[12:14] == b"\x08\x00" and frame[23] == 17 and struct.unpack("!H", frame[36:38])[0] == HEARTBEAT_PORT


def saw_heartbeat(at, frame):
    ip = Ether(frame)[IP]
    say("heartbeat", at, source=ip.src, destination=ip.dst, payload=bytes(ip[UDP].payload).hex())


def is_of_interest(frame):
    kind = frame[12:14]
    if kind == b"\x08\x00":
        return frame[23] in (1, 2, VRRP_PROTOCOL)
    return kind == b"\x08\x06" or (kind == b"\x86\xdd" and frame[20] in (0, 58, VRRP_PROTOCOL))


def look():
    """The kernel stamps what arrives by the clock of the wall; a test compares with what it sent, by the other clock."""
    frame, told, _, (_, _, direction, *_) = tap.recvmsg(2048, 64)
    if is_heartbeat(frame):
        saw_heartbeat(time.monotonic(), frame)
    if direction == OUTGOING or not is_of_interest(frame):
        return
    stamps = [struct.unpack("qq", data[:16]) for _, kind, data in told if kind == SO_TIMESTAMPNS]
    now, wall = time.monotonic(), time.time()
    seconds, nanoseconds = stamps[0] if stamps else (wall, 0)
    saw(now - (wall - seconds - nanoseconds / 1e9), frame)


def watch():
    while True:
        look()


# Scapy is slow at its first packet of a kind: not when a test measures.
bytes(IP(src="127.0.0.1", dst="127.0.0.1") / message({"version": 3, "vrid": 1, "priority": 1, "interval": 1, "addresses": ["127.0.0.1"]}))
threading.Thread(target=watch, daemon=True).start()
say("ready", time.monotonic(), hardware=own_hardware)
for line in sys.stdin:
    obey(json.loads(line))
for name in list(advertising):
    stop(name)
