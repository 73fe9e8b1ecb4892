//! Why a packet taught nothing, or what it taught: one named counter for every way out of the data plane.
//!
//! Adding a counter here is all there is to do: kernel map, host tables, `--stats` and documentation follow
//! [`Counter::ALL`].

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A way out of the data plane. The number is an index of the counter map.
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Counter {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Counter {
            /// Every counter, in the order of the numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Name in statistics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One sentence on what is counted.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+),)+ }
            }
        }
    };
}

counters! {
    /// Frame shorter than the header it claims.
    Truncated = "truncated",
    /// EtherType that is neither IPv4, IPv6 nor ARP.
    NotIp = "not_ip",
    /// More than two VLAN tags.
    VlanTooDeep = "vlan_too_deep",
    /// Header whose version, length or type field contradicts itself.
    Malformed = "malformed",
    /// More IPv6 extension headers than are followed.
    ExtensionsTooMany = "extensions_too_many",
    /// IPv6 extension header chain that ends without a payload (RFC 8200, 4.7).
    NoNextHeader = "no_next_header",
    /// Fragment other than the first: its ports are not in it.
    LaterFragment = "later_fragment",
    /// TCP of a connection that exists: neither a probe nor an answer to one.
    TcpEstablished = "tcp_established",
    /// TCP SYN-ACK.
    TcpAnswered = "tcp_answered",
    /// TCP RST that refuses a SYN.
    TcpRefused = "tcp_refused",
    /// TCP RST without ACK: it refuses a segment of a conversation that does not exist.
    TcpStranger = "tcp_stranger",
    /// Other TCP RST: the end of a connection.
    TcpReset = "tcp_reset",
    /// TCP FIN of a connection that existed.
    TcpContinued = "tcp_continued",
    /// Datagram of a UDP flow already seen in this direction.
    UdpKnown = "udp_known",
    /// Datagram that answers a UDP flow.
    UdpAnswered = "udp_answered",
    /// UDP from a service port to an unnamed high port: an answer whose question was not seen.
    UdpAnswerShape = "udp_answer_shape",
    /// First UDP datagram over 512 bytes: media or a tunnel, not a probe.
    UdpLarge = "udp_large",
    /// DHCP or DHCPv6, whose answers come from elsewhere than asked.
    Dhcp = "dhcp",
    /// SCTP INIT-ACK.
    SctpAnswered = "sctp_answered",
    /// SCTP ABORT.
    SctpRefused = "sctp_refused",
    /// Other SCTP.
    SctpOther = "sctp_other",
    /// ICMP or ICMPv6 answer.
    IcmpAnswered = "icmp_answered",
    /// ICMP or ICMPv6 destination unreachable.
    IcmpRefused = "icmp_refused",
    /// Other ICMP or ICMPv6 error, or one that quotes nothing of use.
    IcmpError = "icmp_error",
    /// ICMPv6 neighbour advertisement that was asked for.
    NeighbourAnswered = "neighbour_answered",
    /// Other ICMPv6 neighbour and router discovery, and multicast listener reports.
    IcmpNeighbour = "icmp_neighbour",
    /// Other ICMP or ICMPv6.
    IcmpOther = "icmp_other",
    /// ARP reply.
    ArpAnswered = "arp_answered",
    /// ARP request that looks for no stranger: gratuitous, unicast refresh or address probe (RFC 5227).
    ArpOwn = "arp_own",
    /// IP protocol of a tunnel or of routing.
    CarrierProtocol = "carrier_protocol",
    /// Multicast or broadcast: never a target.
    GroupTarget = "group_target",
    /// Source address that no one owns: unspecified, loopback, multicast, or the target itself.
    SourceUnusable = "source_unusable",
    /// Probe by TCP SYN.
    ProbeSyn = "probe_syn",
    /// Probe by TCP without flags.
    ProbeNull = "probe_null",
    /// Probe by TCP FIN.
    ProbeFin = "probe_fin",
    /// Probe by TCP FIN, PSH, URG.
    ProbeXmas = "probe_xmas",
    /// Probe by another impossible TCP flag set.
    ProbeFlags = "probe_flags",
    /// Probe by UDP.
    ProbeUdp = "probe_udp",
    /// Probe by SCTP INIT.
    ProbeSctp = "probe_sctp",
    /// Probe by ICMP.
    ProbeIcmp = "probe_icmp",
    /// Probe by ARP.
    ProbeArp = "probe_arp",
    /// Probe by IP protocol.
    ProbeProto = "probe_proto",
    /// Probe by TCP ACK with numbers that no conversation has.
    ProbeAck = "probe_ack",
    /// Contact that leaves for somebody else: it was counted where it came in.
    Forwarded = "forwarded",
    /// Refusal of a segment of no conversation, to an address of this host while it forwards: whoever sent the segment may be
    /// behind it, and is told of the refusal there.
    Translated = "translated",
    /// Answer or refusal for a source that tried nothing worth a cell.
    NotAsked = "not_asked",
    /// Probe of a source that is not worth a cell yet.
    NotAdmitted = "not_admitted",
    /// Contact that told its cell nothing.
    NotNovel = "not_novel",
    /// Contact that told its cell something.
    Novel = "novel",
    /// What an internal source tried first, told to its cell when the source got one: beside the contact at hand.
    FirstNovel = "first_novel",
    /// Probe of a source outside that told the port table something: beside its own way out.
    PortNovel = "port_novel",
    /// Answer to a source outside that the port was not known to answer: beside its own way out.
    PortAnswered = "port_answered",
    /// Cell created.
    CellCreated = "cell_created",
    /// Cell that could not be created.
    CellRefused = "cell_refused",
    /// Novelty record that found the ring full; the cell has the count.
    RingLost = "ring_lost",
}

impl Counter {
    /// Number of counters.
    pub const COUNT: usize = Self::ALL.len();

    /// The counter of probes by a technique.
    #[inline(always)]
    #[must_use]
    pub const fn of_probe(technique: crate::abi::Technique) -> Self {
        use crate::abi::Technique;
        match technique {
            Technique::Syn => Self::ProbeSyn,
            Technique::Null => Self::ProbeNull,
            Technique::Fin => Self::ProbeFin,
            Technique::Xmas => Self::ProbeXmas,
            Technique::Flags => Self::ProbeFlags,
            Technique::Udp => Self::ProbeUdp,
            Technique::Sctp => Self::ProbeSctp,
            Technique::Icmp => Self::ProbeIcmp,
            Technique::Arp => Self::ProbeArp,
            Technique::Proto => Self::ProbeProto,
            Technique::Ack => Self::ProbeAck,
        }
    }
}
