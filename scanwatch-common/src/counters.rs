//! Why a packet taught nothing, or what it taught: one named counter for every way out of the data plane.
//!
//! Adding a counter here is all there is to do: kernel map, host tables, `--stats` and documentation follow
//! [`Counter::ALL`].

/// What a counter counts. Each packet is in one counter of the first four classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Packets that tell of no contact, or not here.
    Skipped,
    /// Packets of conversations that exist.
    Established,
    /// Packets by which a source tries something.
    Probe,
    /// Packets that say what became of a probe.
    Reply,
    /// What came of a probe or a reply: each is in one of these, or refused a cell.
    Contact,
    /// What happened in the tables beside that.
    Beside,
}

impl Class {
    /// Name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Established => "established",
            Self::Probe => "probe",
            Self::Reply => "reply",
            Self::Contact => "contact",
            Self::Beside => "beside",
        }
    }

    /// True for the classes in which each packet is counted once.
    #[must_use]
    pub const fn is_of_packets(self) -> bool {
        matches!(self, Self::Skipped | Self::Established | Self::Probe | Self::Reply)
    }
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident : $class:ident = $name:literal,)+) => {
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

            /// What is counted: packets, or what came of some of them.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)+ }
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
    Truncated: Skipped = "truncated",
    /// EtherType that is neither IPv4, IPv6 nor ARP.
    NotIp: Skipped = "not_ip",
    /// More than two VLAN tags.
    VlanTooDeep: Skipped = "vlan_too_deep",
    /// Header whose version, length or type field contradicts itself.
    Malformed: Skipped = "malformed",
    /// More IPv6 extension headers than are followed.
    ExtensionsTooMany: Skipped = "extensions_too_many",
    /// IPv6 extension header chain that ends without a payload (RFC 8200, 4.7).
    NoNextHeader: Skipped = "no_next_header",
    /// Fragment other than the first: its ports are not in it.
    LaterFragment: Skipped = "later_fragment",
    /// TCP of a connection that exists: neither a probe nor an answer to one.
    TcpEstablished: Established = "tcp_established",
    /// TCP SYN-ACK.
    TcpAnswered: Reply = "tcp_answered",
    /// TCP RST that refuses a SYN.
    TcpRefused: Reply = "tcp_refused",
    /// TCP RST without ACK: it refuses a segment of a conversation that does not exist.
    TcpStranger: Reply = "tcp_stranger",
    /// Other TCP RST: the end of a connection.
    TcpReset: Established = "tcp_reset",
    /// TCP FIN of a connection that existed.
    TcpContinued: Reply = "tcp_continued",
    /// Datagram of a UDP flow already seen in this direction.
    UdpKnown: Established = "udp_known",
    /// Datagram that answers a UDP flow.
    UdpAnswered: Reply = "udp_answered",
    /// UDP from a service port to an unnamed high port: an answer whose question was not seen.
    UdpAnswerShape: Skipped = "udp_answer_shape",
    /// First UDP datagram over 512 bytes: media or a tunnel, not a probe.
    UdpLarge: Skipped = "udp_large",
    /// DHCP or DHCPv6, whose answers come from elsewhere than asked.
    Dhcp: Skipped = "dhcp",
    /// SCTP INIT-ACK.
    SctpAnswered: Reply = "sctp_answered",
    /// SCTP ABORT.
    SctpRefused: Reply = "sctp_refused",
    /// Other SCTP.
    SctpOther: Skipped = "sctp_other",
    /// ICMP or ICMPv6 answer.
    IcmpAnswered: Reply = "icmp_answered",
    /// ICMP or ICMPv6 destination unreachable.
    IcmpRefused: Reply = "icmp_refused",
    /// Other ICMP or ICMPv6 error, or one that quotes nothing of use.
    IcmpError: Skipped = "icmp_error",
    /// ICMPv6 neighbour advertisement that was asked for.
    NeighbourAnswered: Reply = "neighbour_answered",
    /// Other ICMPv6 neighbour and router discovery, and multicast listener reports.
    IcmpNeighbour: Skipped = "icmp_neighbour",
    /// Other ICMP or ICMPv6.
    IcmpOther: Skipped = "icmp_other",
    /// ARP reply.
    ArpAnswered: Reply = "arp_answered",
    /// ARP request that looks for no stranger: gratuitous, unicast refresh or address probe (RFC 5227).
    ArpOwn: Skipped = "arp_own",
    /// IP protocol of a tunnel or of routing.
    CarrierProtocol: Skipped = "carrier_protocol",
    /// Multicast or broadcast: never a target.
    GroupTarget: Skipped = "group_target",
    /// Source address that no one owns: unspecified, loopback, multicast, or the target itself.
    SourceUnusable: Skipped = "source_unusable",
    /// Probe by TCP SYN.
    ProbeSyn: Probe = "probe_syn",
    /// Probe by TCP without flags.
    ProbeNull: Probe = "probe_null",
    /// Probe by TCP FIN.
    ProbeFin: Probe = "probe_fin",
    /// Probe by TCP FIN, PSH, URG.
    ProbeXmas: Probe = "probe_xmas",
    /// Probe by another impossible TCP flag set.
    ProbeFlags: Probe = "probe_flags",
    /// Probe by UDP.
    ProbeUdp: Probe = "probe_udp",
    /// Probe by SCTP INIT.
    ProbeSctp: Probe = "probe_sctp",
    /// Probe by ICMP.
    ProbeIcmp: Probe = "probe_icmp",
    /// Probe by ARP.
    ProbeArp: Probe = "probe_arp",
    /// Probe by IP protocol.
    ProbeProto: Probe = "probe_proto",
    /// Probe by TCP ACK with numbers that no conversation has.
    ProbeAck: Probe = "probe_ack",
    /// Contact that leaves for somebody else: it was counted where it came in.
    Forwarded: Skipped = "forwarded",
    /// Refusal of a segment of no conversation, to an address of this host while it forwards: whoever sent the segment may be
    /// behind it, and is told of the refusal there.
    Translated: Skipped = "translated",
    /// Answer or refusal for a source that tried nothing worth a cell.
    NotAsked: Contact = "not_asked",
    /// Probe of a source that is not worth a cell yet.
    NotAdmitted: Contact = "not_admitted",
    /// Contact that told its cell nothing.
    NotNovel: Contact = "not_novel",
    /// Contact that told its cell something.
    Novel: Contact = "novel",
    /// What an internal source tried first, told to its cell when the source got one: beside the contact at hand.
    FirstNovel: Beside = "first_novel",
    /// Probe of a source outside that told the port table something: beside its own way out.
    PortNovel: Beside = "port_novel",
    /// Answer to a source outside that the port was not known to answer: beside its own way out.
    PortAnswered: Beside = "port_answered",
    /// Cell created.
    CellCreated: Beside = "cell_created",
    /// Cell that could not be created.
    CellRefused: Beside = "cell_refused",
    /// Novelty record that found the ring full; the cell has the count.
    RingLost: Beside = "ring_lost",
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
