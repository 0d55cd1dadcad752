//! Amounts: `Nano` is a billionth of a credit.

use std::{fmt, iter::Sum, str::FromStr};

use serde::{Deserialize, Serialize};

/// An amount in billionths of a credit (1 credit = 1 US dollar). An `i64` holds nine billion dollars.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Nano(pub i64);

/// The text is not an amount of credits with at most nine decimals, or is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an amount of credits: write for example 5 or 0.25, with at most nine decimals")]
pub struct NotAnAmount;

impl Nano {
    pub const ZERO: Self = Self(0);
    /// One credit.
    pub const CREDIT: Self = Self(1_000_000_000);

    /// The sum, or nothing where it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or nothing where it does not fit.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product, or nothing where it does not fit.
    pub fn checked_mul(self, times: i64) -> Option<Self> {
        self.0.checked_mul(times).map(Self)
    }

    /// The sum of all, or nothing where it does not fit.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Narrows a result that was computed wide.
    pub(crate) fn narrow(wide: i128) -> Option<Self> {
        i64::try_from(wide).ok().map(Self)
    }
}

/// Panics where the sum does not fit: money never wraps.
impl Sum for Nano {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self::checked_sum(amounts).expect("a sum of money must fit")
    }
}

/// Credits with all nine decimals: `1.500000000`.
impl fmt::Display for Nano {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative() { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
    }
}

/// Reads credits: `5`, `0.25`, `-1.000000001`.
impl FromStr for Nano {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 9 {
            return Err(NotAnAmount);
        }
        let whole: i128 = whole.parse().map_err(|_| NotAnAmount)?;
        let fraction: i128 = format!("{fraction:0<9}").parse().map_err(|_| NotAnAmount)?;
        let nanos = whole.checked_mul(1_000_000_000).ok_or(NotAnAmount)? + fraction;
        Self::narrow(sign * nanos).ok_or(NotAnAmount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_read_and_written_alike() {
        for (text, nano) in [
            ("5.000000000", Nano(5_000_000_000)),
            ("0.250000000", Nano(250_000_000)),
            ("-1.000000001", Nano(-1_000_000_001)),
            ("9223372036.854775807", Nano(i64::MAX)),
            ("-9223372036.854775808", Nano(i64::MIN)),
        ] {
            assert_eq!(text.parse(), Ok(nano));
            assert_eq!(nano.to_string(), text);
        }
        assert_eq!("5".parse(), Ok(Nano(5_000_000_000)));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "+1",
            "1e3",
            "0.0000000001",
            "1,5",
            "--1",
            "9223372036.854775808",
        ] {
            assert_eq!(text.parse::<Nano>(), Err(NotAnAmount), "{text}");
        }
        assert_eq!("9".repeat(60).parse::<Nano>(), Err(NotAnAmount));
    }

    #[test]
    fn arithmetic_does_not_wrap() {
        assert_eq!(Nano(i64::MAX).checked_add(Nano(1)), None);
        assert_eq!(Nano(i64::MIN).checked_sub(Nano(1)), None);
        assert_eq!(Nano(i64::MAX).checked_mul(2), None);
        assert_eq!(Nano::checked_sum([Nano(i64::MAX), Nano(1)]), None);
    }
}
