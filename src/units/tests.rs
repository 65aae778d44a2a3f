use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn bytes_are_parsed_with_their_unit() {
    let read = |text: &str| text.parse::<Bytes>().map(|bytes| bytes.0);
    assert_eq!(read("100 B"), Ok(100));
    assert_eq!(read("1 kB"), Ok(1_000));
    assert_eq!(read("1kB"), Ok(1_000));
    assert_eq!(read("1 MiB"), Ok(1_048_576));
    assert_eq!(read(" 10 kB "), Ok(10_000));
    assert_eq!(read("1.5 MB"), Ok(1_500_000));
    assert_eq!(read("0.50 KiB"), Ok(512));
    assert_eq!(read("18446744073709551615 B"), Ok(u64::MAX));
}

#[test]
fn an_invalid_size_names_the_problem() {
    for (text, hint) in [
        ("100", "unit is missing"),
        ("1 KB", "KiB"),
        ("1 kb", "kB"),
        ("0.5 B", "whole number of bytes"),
        ("-1 B", "negative"),
        ("kB", "start with a number"),
        ("1.2.3 kB", "not a number"),
        ("18446744073709551616 B", "larger than"),
        ("99999999999999999999999999999999999999999 TiB", "larger than"),
        ("", "start with a number"),
    ] {
        let message = text.parse::<Bytes>().unwrap_err().to_string();
        assert!(message.contains(hint), "{text:?}: {message}");
    }
}

#[test]
fn bytes_are_shown_in_three_figures() {
    for (bytes, shown) in [
        (0, "0 B"),
        (100, "100 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (1_234, "1.23 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (18_000_000, "18 MB"),
        (u64::MAX, "18.4 EB"),
    ] {
        assert_eq!(Bytes(bytes).to_string(), shown);
    }
    assert_eq!(format!("{:#}", Bytes(1_500)), "1.50 kB");
    assert_eq!(format!("{:>9}|{:<9}|", Bytes(1_500), Bytes(20)), "   1.5 kB|20 B     |");
}

#[test]
fn rates_and_cores_are_read_and_shown() {
    assert_eq!("20 MB/s".parse(), Ok(ByteRate(2e7)));
    assert_eq!(ByteRate(2e7).to_string(), "20 MB/s");
    assert_eq!(ByteRate(0.5).to_string(), "0.5 B/s");
    assert_eq!(ByteRate(f64::NAN).to_string(), "– B/s");
    assert!("20 MB".parse::<ByteRate>().unwrap_err().to_string().contains("20 MB/s"));
    assert_eq!("2 cpus".parse(), Ok(Cpus(2.0)));
    assert_eq!("1 cpu".parse(), Ok(Cpus(1.0)));
    assert_eq!("0.5 cpus".parse(), Ok(Cpus(0.5)));
    assert_eq!(
        (Cpus(1.0).to_string(), Cpus(0.25).to_string()),
        ("1 cpu".into(), "0.25 cpus".into())
    );
    assert!("2 cores".parse::<Cpus>().unwrap_err().to_string().contains("2 cpus"));
}

#[test]
fn durations_are_parsed_with_their_units() {
    let read = |text| parse_duration(text).ok();
    assert_eq!(read("250 ms"), Some(Duration::from_millis(250)));
    assert_eq!(read("0 s"), Some(Duration::ZERO));
    assert_eq!(read("1.5 s"), Some(Duration::from_millis(1500)));
    assert_eq!(read("5 min"), Some(Duration::from_mins(5)));
    assert_eq!(read("1 h 30 min"), Some(Duration::from_mins(90)));
    assert_eq!(read("100 µs"), Some(Duration::from_micros(100)));
    assert_eq!(read("1h30m"), Some(Duration::from_mins(90)));
    assert_eq!(read("2 minutes 3 seconds"), Some(Duration::from_secs(123)));
    assert_eq!(read("1 day 0.5 h"), Some(Duration::from_mins(1_470)));
    assert_eq!(read("584 years"), None);
    for (wrong, reason) in [
        ("1 s 1 h", "from the largest to the smallest"),
        ("1 s 1 s", "from the largest to the smallest"),
        ("0.1 ns", "whole number of nanoseconds"),
        ("1,000 ms", "\"1000 ms\" if it separates thousands, or \"1.000 ms\""),
        ("1 h 1,5 min", "\"1.5 min\""),
        ("99999999 h", "larger than"),
    ] {
        let message = parse_duration(wrong).unwrap_err().to_string();
        assert!(message.contains(reason), "{wrong:?}: {message}");
    }
    for wrong in ["", "5", "-1 s", "1 s ago", "1 fortnight", "ms"] {
        let message = parse_duration(wrong).unwrap_err().to_string();
        assert!(message.contains("a unit (us, ms, s, min, h)"), "{wrong:?}: {message}");
    }
}

#[test]
fn durations_are_shown_in_two_units_at_most() {
    for (milliseconds, shown) in [
        (0, "0 s"),
        (250, "250 ms"),
        (1_500, "1.5 s"),
        (59_940, "59.9 s"),
        (59_960, "1 min"),
        (260_000, "4 min 20 s"),
        (3_599_600, "1 h"),
        (14_040_000, "3 h 54 min"),
        (14_040_000 * 20, "3 days 6 h"),
    ] {
        assert_eq!(human_duration(Duration::from_millis(milliseconds)), shown);
    }
    assert_eq!(human_duration(Duration::from_nanos(1_230)), "1.23 µs");
    assert_eq!(human_duration(Duration::from_nanos(7)), "7 ns");
}

#[test]
fn small_figures_keep_three() {
    assert_eq!(three_figures(0.012_345, false), "0.0123");
    assert_eq!(three_figures(0.012_345, true), "0.01");
    assert_eq!(three_figures(9.996, false), "10");
    assert_eq!(three_figures(9.996, true), "10.0");
}

#[test]
fn thousands_are_separated() {
    assert_eq!(
        [0, 999, 1_000, 180_000, 1_048_575].map(group_thousands),
        ["0", "999", "1,000", "180,000", "1,048,575"]
    );
}

#[test]
fn every_quantity_refuses_separated_digits_with_both_readings() {
    let problems = |number: &str| {
        [
            format!("{number} B").parse::<Bytes>().unwrap_err(),
            format!("{number} kB/s").parse::<ByteRate>().unwrap_err(),
            format!("{number} cpus").parse::<Cpus>().unwrap_err(),
            format!("{number} C").parse::<Celsius>().unwrap_err(),
            parse_duration(&format!("{number} ms")).unwrap_err(),
        ]
        .map(|error| error.to_string())
    };
    for message in problems("1,000") {
        assert!(message.contains("\"1000 ") && message.contains("\"1.000 "), "{message}");
    }
    for separated in ["1_000", "1'000", "1\u{a0}000", "1 000"] {
        for message in problems(separated) {
            assert!(message.contains("digits are not separated: write \"1000 "), "{message}");
        }
    }
}

proptest! {
    #[test]
    fn a_printed_count_is_never_read_as_another_number(count in 1_000_u64..) {
        let printed = group_thousands(count);
        prop_assert!((printed.clone() + " B").parse::<Bytes>().is_err());
        prop_assert!((printed.clone() + " B/s").parse::<ByteRate>().is_err());
        prop_assert!((printed.clone() + " cpus").parse::<Cpus>().is_err());
        let error = parse_duration(&format!("{printed} ns")).unwrap_err().to_string();
        let wanted = format!("\"{count} ns\"");
        prop_assert!(error.contains(&wanted), "{}", error);
    }

    #[test]
    fn a_duration_in_any_unit_is_read_exactly(count in 0..1_000_000_u64, thousandths in 0..1_000_u64) {
        for (unit, nanos) in [("us", 1_000_u64), ("ms", 1_000_000), ("s", 1_000_000_000), ("min", 60_000_000_000), ("h", 3_600_000_000_000)] {
            let read = parse_duration(&format!("{count}.{thousandths:03} {unit}"));
            let wanted = u128::from(count) * u128::from(nanos) + u128::from(thousandths) * u128::from(nanos) / 1_000;
            prop_assert_eq!(read.map(|time| time.as_nanos()), Ok(wanted));
        }
    }

    #[test]
    fn exact_bytes_read_back(value: u64, shift in 0_u32..60) {
        for bytes in [Bytes(value), Bytes(value >> shift), Bytes((value >> shift).saturating_mul(1_000_000))] {
            prop_assert_eq!(bytes.exact().parse(), Ok(bytes));
        }
    }

    #[test]
    fn shown_bytes_are_within_half_a_percent(value: u64, shift in 0_u32..64) {
        let value = value >> shift;
        let shown = Bytes(value).to_string().replace("PB", "kTB").replace("EB", "MTB");
        let (number, unit) = shown.split_once(' ').unwrap();
        let factor = match unit {
            "kTB" => 1e15,
            "MTB" => 1e18,
            _ => byte_factor(unit).unwrap() as f64,
        };
        let read: f64 = number.parse::<f64>().unwrap() * factor;
        prop_assert!((read - value as f64).abs() <= value as f64 * 0.005, "{} for {}", shown, value);
    }

    #[test]
    fn exact_rates_and_cores_read_back(value in 0.0..1e15_f64) {
        prop_assert_eq!(ByteRate(value).exact().parse(), Ok(ByteRate(value)));
        prop_assert_eq!(Cpus(value).exact().parse(), Ok(Cpus(value)));
        prop_assert_eq!(ByteRate(value.round()).exact().parse(), Ok(ByteRate(value.round())));
    }

    #[test]
    fn exact_durations_read_back(seconds in 0..u64::from(u32::MAX), nanoseconds in 0..1_000_000_000_u32) {
        for duration in [Duration::new(seconds, nanoseconds), Duration::new(seconds, 0)] {
            prop_assert_eq!(parse_duration(&exact_duration(duration)), Ok(duration));
        }
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text: String) {
        let _ = (text.parse::<Bytes>(), text.parse::<ByteRate>(), text.parse::<Cpus>());
        let _ = parse_duration(&text);
    }

    #[test]
    fn no_duration_makes_the_printers_panic(seconds: u64, nanoseconds in 0..1_000_000_000_u32) {
        let duration = Duration::new(seconds, nanoseconds);
        prop_assert!(!human_duration(duration).is_empty() && !exact_duration(duration).is_empty());
    }
}

#[test]
fn links_may_be_given_in_bits() {
    let rate = |text: &str| text.parse::<ByteRate>().unwrap();
    assert_eq!(rate("100 Mbit/s"), ByteRate(12.5e6));
    assert_eq!(rate("1 Gbit/s"), ByteRate(125e6));
    assert_eq!(rate("64 kbit/s"), ByteRate(8_000.0));
    assert_eq!(rate(&rate("940 Mbit/s").exact()), rate("940 Mbit/s"));
    assert!("100 Mbit".parse::<ByteRate>().is_err());
}
