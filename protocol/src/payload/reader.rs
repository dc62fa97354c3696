use thiserror::Error;

/// Why bytes are not a payload of the strict grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A varint is longer than it needs to be, longer than ten bytes, or cut off.
    #[error("at byte {at}: not a minimal varint")]
    Varint {
        /// Offset within the message that was being read.
        at: usize,
    },
    /// A field has another wire type than its number promises.
    #[error("field {field} has the wrong wire type")]
    WireType {
        /// The field's number.
        field: u32,
    },
    /// A length runs past the end of the message.
    #[error("field {field} runs past the end of its message")]
    Truncated {
        /// The field's number.
        field: u32,
    },
    /// A field that must be stated is absent.
    #[error("field {field} is missing")]
    Missing {
        /// The field's number.
        field: u32,
    },
    /// A field states its default, which the grammar leaves out.
    #[error("field {field} states its default value")]
    StatedDefault {
        /// The field's number.
        field: u32,
    },
    /// A field is out of order, repeated where it may not be, or unknown here.
    #[error("field {field} is unknown, repeated or out of order")]
    Unexpected {
        /// The field's number.
        field: u32,
    },
    /// A field's value is not one that its type allows.
    #[error("field {field} has a value that its type does not allow")]
    Value {
        /// The field's number.
        field: u32,
    },
    /// Fields contradict one another.
    #[error("the fields do not fit together")]
    Inconsistent,
    /// The payload is longer than the limit.
    #[error("{bytes} bytes; the limit is {limit}")]
    TooLong {
        /// Bytes received.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;

/// Reads the fields of one message in ascending order.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first field.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The varint field `number`, or `None` where it is absent.
    pub fn varint(&mut self, number: u32) -> Result<Option<u64>, Malformed> {
        if !self.next_is(number, VARINT)? {
            return Ok(None);
        }
        match self.raw_varint()? {
            0 => Err(Malformed::StatedDefault { field: number }),
            value => Ok(Some(value)),
        }
    }

    /// The varint field `number`, stated even where it is zero, as proto2 does with `required`.
    pub(crate) fn stated_varint(&mut self, number: u32) -> Result<Option<u64>, Malformed> {
        if self.next_is(number, VARINT)? { self.raw_varint().map(Some) } else { Ok(None) }
    }

    /// The length-delimited field `number`, or `None` where it is absent.
    pub fn bytes(&mut self, number: u32) -> Result<Option<&'a [u8]>, Malformed> {
        if !self.next_is(number, LENGTH_DELIMITED)? {
            return Ok(None);
        }
        let length = self.raw_varint()?;
        let start = self.at;
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| start.checked_add(length))
            .ok_or(Malformed::Truncated { field: number })?;
        let value = self.bytes.get(start..end).ok_or(Malformed::Truncated { field: number })?;
        self.at = end;
        Ok(Some(value))
    }

    /// Refuses whatever no field has claimed.
    pub fn finish(mut self) -> Result<(), Malformed> {
        if self.at == self.bytes.len() {
            return Ok(());
        }
        let tag = self.raw_varint()?;
        Err(Malformed::Unexpected { field: u32::try_from(tag >> 3).unwrap_or(u32::MAX) })
    }

    /// Whether the next field is `number`; if so, steps over its tag.
    fn next_is(&mut self, number: u32, wire_type: u64) -> Result<bool, Malformed> {
        if self.at == self.bytes.len() {
            return Ok(false);
        }
        let start = self.at;
        let tag = self.raw_varint()?;
        if tag >> 3 != u64::from(number) {
            self.at = start;
            return Ok(false);
        }
        if tag & 7 != wire_type {
            return Err(Malformed::WireType { field: number });
        }
        Ok(true)
    }

    /// A varint in as few bytes as it can have.
    pub(super) fn raw_varint(&mut self) -> Result<u64, Malformed> {
        let start = self.at;
        let malformed = Malformed::Varint { at: start };
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(malformed)?;
            self.at += 1;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(malformed);
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                // A last byte of zero adds nothing, so a shorter form exists.
                return if byte == 0 && shift > 0 { Err(malformed) } else { Ok(value) };
            }
        }
        Err(malformed)
    }

    /// Whether everything has been read.
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }
}
