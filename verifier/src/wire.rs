//! The binary form of receipts and log entries: every value has exactly one spelling, so that what is signed can
//! be read, written again and compared byte for byte.

use std::fmt;

/// Seven bits a byte: a `u64` needs ten.
const NUMBER_BYTES_MAX: u32 = 10;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("it ends in the middle of its {0}")]
    Short(&'static str),
    #[error("its {0} is not written in the one form that counts")]
    NotCanonical(&'static str),
    #[error("its {0} is larger than it may be")]
    TooLarge(&'static str),
    #[error("its {0} is none that is known")]
    Unknown(&'static str),
    #[error("{0} bytes follow after its end")]
    Trailing(usize),
}

/// Writes the parts of a value, one after another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn byte(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(value);
        self
    }

    /// Seven bits a byte, the lowest first; the high bit says that more follow.
    pub(crate) fn number(&mut self, mut value: u64) -> &mut Self {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                return self.byte(low & 0x7f);
            }
            self.byte(low | 0x80);
        }
    }

    /// The length, then the bytes.
    pub(crate) fn sized(&mut self, value: &[u8]) -> &mut Self {
        self.number(value.len() as u64).bytes(value)
    }

    /// One byte that says whether there is a value; the caller writes it.
    pub(crate) fn option<T>(
        &mut self,
        value: Option<&T>,
        write: impl FnOnce(&mut Self, &T),
    ) -> &mut Self {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads what a [`Writer`] wrote, and nothing else.
#[derive(Clone)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn byte(&mut self, what: &'static str) -> Result<u8, WireError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], WireError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(WireError::Short(what))?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn number(&mut self, what: &'static str) -> Result<u64, WireError> {
        let mut value = 0;
        for index in 0..NUMBER_BYTES_MAX {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << (7 * index);
            if shifted >> (7 * index) != bits {
                return Err(WireError::TooLarge(what));
            }
            value |= shifted;
            if byte & 0x80 == 0 {
                // A last byte of nothing would be a second spelling.
                let shortest = index == 0 || byte != 0;
                return if shortest { Ok(value) } else { Err(WireError::NotCanonical(what)) };
            }
        }
        Err(WireError::TooLarge(what))
    }

    /// A number that fits a smaller type.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T, WireError> {
        T::try_from(self.number(what)?).map_err(|_| WireError::TooLarge(what))
    }

    pub(crate) fn sized(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], WireError> {
        let len: usize = self.small(what)?;
        if len > max {
            return Err(WireError::TooLarge(what));
        }
        let (head, rest) = self.0.split_at_checked(len).ok_or(WireError::Short(what))?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn text(&mut self, what: &'static str, max: usize) -> Result<String, WireError> {
        let bytes = self.sized(what, max)?;
        let text = std::str::from_utf8(bytes).map_err(|_| WireError::NotCanonical(what))?;
        Ok(text.to_owned())
    }

    pub(crate) fn option<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, WireError>,
    ) -> Result<Option<T>, WireError> {
        match self.byte(what)? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(WireError::NotCanonical(what)),
        }
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Trailing(self.0.len())) }
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} bytes left)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        let read = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let value = reader.number("number")?;
            reader.end().map(|()| value)
        };
        assert_eq!(read(&[0x80, 0x00]), Err(WireError::NotCanonical("number")));
        assert_eq!(read(&[0x80]), Err(WireError::Short("number")));
        assert_eq!(read(&[1, 2]), Err(WireError::Trailing(1)));
        assert_eq!(read(&[0xff; 11]), Err(WireError::TooLarge("number")));
        let mut over = [0xff; 10];
        over[9] = 2;
        assert_eq!(read(&over), Err(WireError::TooLarge("number")));
        over[9] = 1;
        assert_eq!(read(&over), Ok(u64::MAX));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in any::<u64>(), bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut writer = Writer::default();
            writer.number(value).sized(&bytes).option(Some(&value), |w, v| { w.number(*v); });
            let written = writer.finish();
            let mut reader = Reader::new(&written);
            prop_assert_eq!(reader.number("a").unwrap(), value);
            prop_assert_eq!(reader.sized("b", 40).unwrap(), bytes);
            prop_assert_eq!(reader.option("c", |r| r.number("d")).unwrap(), Some(value));
            reader.end().unwrap();
        }
    }
}
