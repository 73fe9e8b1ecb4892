//! Roles: budgets of machines that reach many others for a living.

use std::net::IpAddr;

use super::{Network, ServiceId, ZoneId};

/// What kind of machine a role describes; decides its defaults only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    /// Web proxy: `web` towards the internet.
    Proxy,
    /// Mail relay: `mail` and `dns` towards the internet.
    MailRelay,
    /// Asset manager: every service, ICMP and ARP, towards every zone inside.
    AssetManager,
    /// DNS resolver: `dns` everywhere.
    Resolver,
    /// Nothing but what the configuration says.
    Custom,
}

/// A budget: what the named sources may reach without being judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// Name as configured, unique.
    pub name: String,
    /// Kind as configured.
    pub kind: RoleKind,
    /// Networks of the sources.
    pub sources: Vec<Network>,
    /// Service groups covered; `None` is every service, and sweeps by ICMP and ARP as well.
    pub services: Option<Vec<ServiceId>>,
    /// Destination zones covered, [`INTERNET`] among them where named.
    pub zones: Vec<ZoneId>,
    /// Most distinct hosts within the longest window; more is judged.
    pub hosts_max: Option<u64>,
    /// End of the role's validity, seconds since the Unix epoch.
    pub expires_s: Option<i64>,
    /// Hours in which the role holds; `None` is always.
    pub schedule: Option<Schedule>,
}

impl Role {
    /// True where the role is in force at `now_s`, seconds since the Unix epoch: not expired, and within its schedule.
    #[must_use]
    pub fn holds(&self, now_s: i64) -> bool {
        self.expires_s.is_none_or(|end_s| now_s < end_s)
            && self.schedule.as_ref().is_none_or(|s| s.holds(now_s))
    }

    /// True where `address` is one of the role's sources.
    #[must_use]
    pub fn has_source(&self, address: IpAddr) -> bool {
        self.sources.iter().any(|network| network.contains(address))
    }
}

/// Weekly hours, UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Days on which it holds, Monday first.
    pub days: [bool; 7],
    /// Minute of the day at which it begins, inclusive.
    pub from_minute: u16,
    /// Minute of the day at which it ends, exclusive; at or before `from_minute` it runs past midnight.
    pub to_minute: u16,
}

impl Schedule {
    /// True where `now_s`, seconds since the Unix epoch, lies in these hours. Hours that run past midnight belong to
    /// the day on which they begin.
    #[must_use]
    pub fn holds(&self, now_s: i64) -> bool {
        // 1 January 1970 was a Thursday, the fourth day of a week that begins on Monday.
        let today = (now_s.div_euclid(86_400) + 3).rem_euclid(7) as usize;
        let yesterday = (today + 6) % 7;
        let minute = (now_s.rem_euclid(86_400) / 60) as u16;
        if self.from_minute < self.to_minute {
            self.days[today] && (self.from_minute..self.to_minute).contains(&minute)
        } else {
            (self.days[today] && minute >= self.from_minute)
                || (self.days[yesterday] && minute < self.to_minute)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::INTERNET;
    use super::*;

    fn network(address: &str, prefix: u8) -> Network {
        Network { address: address.parse().unwrap(), prefix }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Monday 3 January 2028, 00:00 UTC.
    const MONDAY_S: i64 = 1_830_470_400;
    const HOUR_S: i64 = 3_600;

    #[test]
    fn schedule_holds_from_its_first_minute_until_before_its_last() {
        let days = [true, true, true, true, true, false, false];
        let office = Schedule { days, from_minute: 8 * 60, to_minute: 18 * 60 };
        assert!(!office.holds(MONDAY_S + 8 * HOUR_S - 1));
        assert!(office.holds(MONDAY_S + 8 * HOUR_S));
        assert!(office.holds(MONDAY_S + 18 * HOUR_S - 1));
        assert!(!office.holds(MONDAY_S + 18 * HOUR_S));
        assert!(!office.holds(MONDAY_S + 5 * 24 * HOUR_S + 9 * HOUR_S), "Saturday");
        assert!(office.holds(MONDAY_S - 3 * 24 * HOUR_S + 9 * HOUR_S), "the Friday before");
    }

    #[test]
    fn schedule_past_midnight_belongs_to_the_day_it_begins() {
        let days = [false, false, false, false, false, false, true];
        let night = Schedule { days, from_minute: 22 * 60, to_minute: 6 * 60 };
        assert!(night.holds(MONDAY_S - 1));
        assert!(night.holds(MONDAY_S + 6 * HOUR_S - 1));
        assert!(!night.holds(MONDAY_S + 6 * HOUR_S));
        assert!(!night.holds(MONDAY_S + 22 * HOUR_S));
        assert!(!night.holds(MONDAY_S - 24 * HOUR_S + HOUR_S), "Sunday 01:00 would belong to Saturday");
    }

    #[test]
    fn role_holds_until_the_second_it_expires() {
        let mut role = Role {
            name: "relay".into(),
            kind: RoleKind::MailRelay,
            sources: vec![network("10.1.0.25", 32)],
            services: None,
            zones: vec![INTERNET],
            hosts_max: None,
            expires_s: Some(MONDAY_S),
            schedule: None,
        };
        assert!(role.holds(MONDAY_S - 1));
        assert!(!role.holds(MONDAY_S));
        role.expires_s = None;
        assert!(role.holds(i64::MAX));
        assert!(role.has_source(ip("10.1.0.25")));
        assert!(!role.has_source(ip("10.1.0.26")));
    }
}
