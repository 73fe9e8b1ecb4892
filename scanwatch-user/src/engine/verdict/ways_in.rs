//! Kinds of way in that an intruder tries, one kind each: 135, 139 and 445 are one.

/// Name and TCP ports of each kind.
const WAYS_IN: &[(&str, &[u16])] = &[
    ("ftp", &[21]),
    ("ssh", &[22, 2222]),
    ("telnet", &[23, 2323]),
    ("rpc", &[111, 2049]),
    ("smb", &[135, 139, 445, 593]),
    ("rsh", &[512, 513, 514]),
    ("rdp", &[3389]),
    ("vnc", &[5900, 5901]),
    ("winrm", &[5985, 5986]),
    ("mssql", &[1433, 1434]),
    ("oracle", &[1521]),
    ("mysql", &[3306]),
    ("postgres", &[5432]),
    ("redis", &[6379]),
    ("mongo", &[27017]),
    ("elastic", &[9200]),
    ("docker", &[2375, 2376]),
    ("kubernetes", &[6443, 10250]),
    ("snmp", &[161]),
    ("ipmi", &[623]),
    ("adb", &[5555]),
    ("rsync", &[873]),
    ("tr069", &[7547]),
    ("ics", &[102, 502, 20000, 44818]),
];

/// The kind of way in that a port is, where it is one.
#[must_use]
pub fn class(port: u16) -> Option<&'static str> {
    WAYS_IN.iter().find(|(_, ports)| ports.contains(&port)).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn ports_of_one_service_are_one_way_in() {
        assert_eq!(super::class(139), super::class(445));
        assert_ne!(super::class(22), super::class(445));
        assert_eq!(super::class(80), None);
    }
}
