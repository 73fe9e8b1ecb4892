//! When a role holds: `expires` and `schedule`.

use toml::de::DeValue;
use toml::value::{Date, Datetime, Offset, Time};

use super::error::Fault;
use super::read::Value;
use crate::policy::Schedule;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY_S: i64 = 86_400;

/// Reads a date (the role holds through that day, UTC) or an RFC 3339 date-time, quoted or bare, as the second since
/// the Unix epoch at which the role ends.
pub(super) fn expiry(value: &Value) -> Result<i64, Fault> {
    let moment = match value.toml() {
        DeValue::Datetime(moment) => Some(*moment),
        DeValue::String(text) => text.parse::<Datetime>().ok(),
        _ => None,
    };
    moment.and_then(end_s).ok_or_else(|| {
        value.expected(
            "a date such as \"2027-01-31\", or a date and time with its offset, \"2027-01-31T18:00:00Z\"",
        )
    })
}

fn end_s(moment: Datetime) -> Option<i64> {
    let midnight_s = days_since_epoch(moment.date?) * DAY_S;
    match (moment.time, moment.offset) {
        (None, None) => Some(midnight_s + DAY_S),
        (Some(time), Some(offset)) => Some(midnight_s + seconds_of_day(time) - offset_s(offset)),
        _ => None,
    }
}

fn seconds_of_day(time: Time) -> i64 {
    i64::from(time.hour) * 3_600 + i64::from(time.minute) * 60 + i64::from(time.second.unwrap_or(0))
}

fn offset_s(offset: Offset) -> i64 {
    match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes) * 60,
    }
}

/// Days from 1 January 1970 in the proleptic Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `days_from_civil`).
fn days_since_epoch(date: Date) -> i64 {
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Reads days and hours, `mon-fri 08:00-18:00`, UTC.
pub(super) fn schedule(value: &Value) -> Result<Schedule, Fault> {
    let wanted = "days and hours in UTC such as \"mon-fri 08:00-18:00\" or \"sat,sun 22:00-06:00\"";
    parse_schedule(value.text(wanted)?).ok_or_else(|| value.expected(wanted))
}

fn parse_schedule(text: &str) -> Option<Schedule> {
    let mut words = text.split_whitespace();
    let (days, hours) = (words.next()?, words.next()?);
    let (from, to) = hours.split_once('-')?;
    let from_minute = parse_minute(from).filter(|minute| *minute < 1_440)?;
    let schedule = Schedule { days: parse_days(days)?, from_minute, to_minute: parse_minute(to)? };
    words.next().is_none().then_some(schedule)
}

/// Reads `mon-fri`, `mon,wed,sat` or both mixed; `sat-mon` runs over the end of the week.
fn parse_days(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (parse_day(first)?, parse_day(last)?);
        for step in 0..=(last + 7 - first) % 7 {
            days[(first + step) % 7] = true;
        }
    }
    Some(days)
}

fn parse_day(text: &str) -> Option<usize> {
    DAYS.iter().position(|day| day.eq_ignore_ascii_case(text))
}

/// Reads `HH:MM` from 00:00 to 24:00 as a minute of the day.
fn parse_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| match digits.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Some(u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
        }
        _ => None,
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && hour * 60 + minute <= 1_440).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_the_end_of_a_day_or_the_very_second() {
        let cases = [
            ("1970-01-01", Some(86_400)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2027-01-31", Some(1_801_440_000)),
            ("2027-01-31T18:00:00Z", Some(1_801_418_400)),
            ("2027-01-31T18:00:00+02:00", Some(1_801_411_200)),
            ("2028-02-29T00:00:00-01:30", Some(1_835_400_600)),
            ("2000-03-01T00:00:00Z", Some(951_868_800)),
            ("1969-12-31T23:59:59Z", Some(-1)),
            ("2027-02-29", None),
            ("2027-01-31T18:00:00", None),
            ("18:00:00", None),
            ("31.1.2027", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Datetime>().ok().and_then(end_s), expected, "{text:?}");
        }
    }

    #[test]
    fn schedules_read_as_days_and_minutes() {
        let weekdays = [true, true, true, true, true, false, false];
        let cases = [
            ("mon-fri 08:00-18:00", Some((weekdays, 480, 1_080))),
            ("Mon-Fri  08:00-18:00", Some((weekdays, 480, 1_080))),
            ("sat-mon 22:30-06:00", Some(([true, false, false, false, false, true, true], 1_350, 360))),
            ("tue,thu-fri 00:00-24:00", Some(([false, true, false, true, true, false, false], 0, 1_440))),
            ("sun 00:00-00:00", Some(([false, false, false, false, false, false, true], 0, 0))),
            ("mon-fri", None),
            ("08:00-18:00", None),
            ("mon-fri 8:00-18:00", None),
            ("mon-fri 08:00-18:60", None),
            ("mon-fri 24:00-06:00", None),
            ("mon-fri 08:00-24:01", None),
            ("mon-fri 08:00", None),
            ("mon-fri 08:00-18:00 UTC", None),
            ("mon-fry 08:00-18:00", None),
            ("mon, fri 08:00-18:00", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = parse_schedule(text).map(|s| (s.days, s.from_minute, s.to_minute));
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
