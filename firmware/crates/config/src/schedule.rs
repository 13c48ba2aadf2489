//! Schedules as people write them, and the local clock that they are compared with. Whether a
//! schedule is in force is for `domain` to say.

use std::time::Duration;

use domain::{LocalClock, Schedule, WeekMinute};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY: u16 = 24 * 60;

/// Reads windows such as `mon-fri 07:00-19:00`, `sat,sun 22:00-02:00` or `daily 00:00-24:00`: days,
/// then from (included) to (excluded). One that ends before it begins goes on over midnight, and
/// belongs to the day on which it begins.
///
/// # Errors
/// The first window that is none, by its index, and what is wrong with it.
pub fn parse(windows: &[String]) -> Result<Schedule, (usize, String)> {
    let mut parts = Vec::new();
    for (index, text) in windows.iter().enumerate() {
        let (days, from, minutes) = window(text).map_err(|reason| (index, reason))?;
        parts.extend(days.into_iter().map(|day| (WeekMinute::new(day, from), minutes)));
    }
    Ok(Schedule::new(parts))
}

/// Days, first minute of the day, and for how many minutes.
fn window(text: &str) -> Result<(Vec<u16>, u16, u16), String> {
    let form =
        || "must be days and times, such as mon-fri 07:00-19:00 or sat 22:00-02:00".to_owned();
    let mut words = text.split_whitespace();
    let (Some(named), Some(times), None) = (words.next(), words.next(), words.next()) else {
        return Err(form());
    };
    let days = days(named)?;
    let (from, to) = times.split_once('-').ok_or_else(form)?;
    let (from, to) = (minute(from)?, minute(to)?);
    match from {
        DAY => Err("begins at 24:00; write 00:00 of the day after".to_owned()),
        _ if from == to => {
            Err(format!("begins and ends at {}; for a whole day write 00:00-24:00", clock(from)))
        }
        _ if from < to => Ok((days, from, to - from)),
        _ => Ok((days, from, DAY - from + to)),
    }
}

fn days(text: &str) -> Result<Vec<u16>, String> {
    if text.eq_ignore_ascii_case("daily") {
        return Ok((0..7).collect());
    }
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let count = (last + 7 - first) % 7;
        days.extend((first..=first + count).map(|day| day % 7));
    }
    Ok(days)
}

fn day(name: &str) -> Result<u16, String> {
    let index = DAYS.iter().position(|day| name.eq_ignore_ascii_case(day));
    index
        .and_then(|index| u16::try_from(index).ok())
        .ok_or_else(|| format!("`{name}` is no day; the days are {} and daily", DAYS.join(", ")))
}

/// A time of day as minutes; 24:00 is the end of the day.
fn minute(text: &str) -> Result<u16, String> {
    let two = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|_| plain)
    };
    let parts = text.split_once(':').and_then(|(h, m)| Some((two(h)?, two(m)?)));
    let minute = parts.filter(|(_, m)| *m < 60).map(|(h, m)| h * 60 + m);
    minute
        .filter(|minute| *minute <= DAY)
        .ok_or_else(|| format!("`{text}` is no time of day from 00:00 to 24:00"))
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// What the local clock shows now, in the system's time zone.
pub fn local_now() -> WeekMinute {
    week_minute(TimeZone::system().to_datetime(Timestamp::now()))
}

fn week_minute(local: DateTime) -> WeekMinute {
    let day = u16::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
    let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
    WeekMinute::new(day, u16::try_from(minute).unwrap_or(0))
}

/// What the local clock showed between two times since the Unix epoch, in the system's time zone as
/// its rules are today.
pub fn local_clock(from: Duration, to: Duration) -> LocalClock {
    clock_in(&TimeZone::system(), from, to)
}

fn clock_in(zone: &TimeZone, from: Duration, to: Duration) -> LocalClock {
    let stamp = |time: Duration| {
        let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
    };
    let (from, to) = (stamp(from), stamp(to));
    let changes =
        zone.following(from).take_while(|change| change.timestamp() <= to).filter_map(|change| {
            let seconds = u64::try_from(change.timestamp().as_second()).ok()?;
            Some((Duration::from_secs(seconds), change.offset().seconds()))
        });
    LocalClock::new(zone.to_offset(from).seconds(), changes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(windows: &[&str]) -> Result<Schedule, (usize, String)> {
        parse(&windows.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    fn refused(text: &str) -> String {
        schedule(&["daily 00:00-24:00", text]).expect_err(text).1
    }

    #[test]
    fn days_and_times_are_read_as_people_write_them() {
        let minutes = |hours: u16| hours * 60;
        let office = (0..5).map(|day| (WeekMinute::new(day, minutes(7)), minutes(12)));
        assert_eq!(schedule(&["mon-fri 07:00-19:00"]), Ok(Schedule::new(office)));
        let nights = [5, 6].map(|day| (WeekMinute::new(day, minutes(22)), minutes(4)));
        assert_eq!(schedule(&["Sat,SUN  22:00-02:00"]), Ok(Schedule::new(nights)));
        let long = [4, 5, 6, 0].map(|day| (WeekMinute::new(day, 0), DAY));
        assert_eq!(schedule(&["fri-mon 00:00-24:00"]), Ok(Schedule::new(long)));
        assert_eq!(
            schedule(&["mon-sun 00:00-24:00"]),
            schedule(&["daily 12:00-24:00", "daily 00:00-12:00"])
        );
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        assert!(refused("mon-fri").contains("must be days and times"));
        assert!(refused("mon-fri 7:00-19:00").contains("`7:00` is no time of day"));
        assert!(refused("mon 07:60-19:00").contains("`07:60`"));
        assert!(refused("mon 07:00-24:01").contains("`24:01`"));
        assert!(refused("mon 07:00-+9:00").contains("`+9:00`"));
        assert!(refused("moon 07:00-19:00").contains("`moon` is no day"));
        assert!(refused("mon 07:00-07:00").contains("begins and ends at 07:00"));
        assert!(refused("mon 24:00-07:00").contains("00:00 of the day after"));
        assert_eq!(schedule(&["mon 07:00-19:00", "x"]).expect_err("x").0, 1);
    }

    fn berlin() -> TimeZone {
        let rule = "CET-1CEST,M3.5.0,M10.5.0/3";
        TimeZone::posix(rule).expect("Berlin's rule")
    }

    fn epoch(text: &str) -> Duration {
        let time: Timestamp = text.parse().expect("a time");
        Duration::from_secs(time.as_second().unsigned_abs())
    }

    #[test]
    fn the_clock_of_the_past_is_the_clock_on_the_wall_through_every_change() {
        let zone = berlin();
        let (from, to) = (epoch("2026-01-01T00:00:00Z"), epoch("2027-01-01T00:00:00Z"));
        let clock = clock_in(&zone, from, to);
        let mut at = from;
        while at < to {
            let stamp = Timestamp::from_second(at.as_secs().cast_signed()).expect("a time");
            assert_eq!(clock.at(at), week_minute(zone.to_datetime(stamp)), "{stamp}");
            at += Duration::from_secs(13 * 60);
        }
    }

    #[test]
    fn a_window_in_the_hour_that_comes_twice_is_in_force_twice() {
        let schedule = schedule(&["sun 02:00-03:00"]).expect("a schedule");
        let day = epoch("2026-10-25T00:00:00Z");
        let clock = clock_in(&berlin(), day, day + Duration::from_secs(86_400));
        let minutes = (0..240)
            .filter(|minute| schedule.is_active(clock.at(day + Duration::from_secs(minute * 60))));
        assert_eq!(minutes.count(), 120);
        let spring = epoch("2026-03-29T00:00:00Z");
        let clock = clock_in(&berlin(), spring, spring + Duration::from_secs(86_400));
        let minutes = (0..240).filter(|minute| {
            schedule.is_active(clock.at(spring + Duration::from_secs(minute * 60)))
        });
        assert_eq!(minutes.count(), 0, "the hour that is left out");
    }
}
