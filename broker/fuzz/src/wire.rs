//! Protobuf as it lies on the wire, taken apart loosely and put together exactly as it was taken, or
//! wrongly where a mutation wants that.

/// A field: its tag, its value, and how many bytes more than needed its varints have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Number and wire type.
    pub(crate) tag: u64,
    pub(crate) value: Value,
    /// Bytes by which the tag, and the value or its length, are longer than they need be.
    pub(crate) padding: [usize; 2],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Varint(u64),
    Bytes(Vec<u8>),
}

const VARINT: u64 = 0;
const BYTES: u64 = 2;

impl Field {
    /// A varint field.
    pub(crate) fn varint(number: u64, value: u64) -> Self {
        Self { tag: number << 3 | VARINT, value: Value::Varint(value), padding: [0; 2] }
    }

    pub(crate) fn of_bytes(number: u64, bytes: &[u8]) -> Self {
        Self { tag: number << 3 | BYTES, value: Value::Bytes(bytes.to_vec()), padding: [0; 2] }
    }

    pub(crate) fn message(number: u64, fields: &[Self]) -> Self {
        Self::of_bytes(number, &Self::write_all(fields))
    }

    pub(crate) fn number(&self) -> u64 {
        self.tag >> 3
    }

    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Bytes(bytes) => Some(bytes),
            Value::Varint(_) => None,
        }
    }

    pub(crate) fn as_varint(&self) -> Option<u64> {
        match self.value {
            Value::Varint(value) => Some(value),
            Value::Bytes(_) => None,
        }
    }

    /// The first field of that number, which is length-delimited.
    pub(crate) fn bytes(fields: &[Self], number: u64) -> Option<&[u8]> {
        fields.iter().find(|field| field.number() == number)?.as_bytes()
    }

    /// The same in a message that is not taken apart otherwise.
    pub(crate) fn find_bytes(mut message: &[u8], number: u64) -> Option<&[u8]> {
        while !message.is_empty() {
            let (tag, _, rest) = take_varint(message)?;
            let (value, _, rest) = take_varint(rest)?;
            message = match tag & 7 {
                VARINT => rest,
                BYTES => {
                    let (bytes, rest) = rest.split_at_checked(usize::try_from(value).ok()?)?;
                    if tag >> 3 == number {
                        return Some(bytes);
                    }
                    rest
                }
                _ => return None,
            };
        }
        None
    }

    /// Takes bytes apart, if all of them are fields of the two wire types in use.
    pub(crate) fn read_all(mut bytes: &[u8]) -> Option<Vec<Self>> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let (tag, tag_padding, rest) = take_varint(bytes)?;
            let (number, padding, rest) = take_varint(rest)?;
            let (value, rest) = match tag & 7 {
                VARINT => (Value::Varint(number), rest),
                BYTES => {
                    let (value, rest) = rest.split_at_checked(usize::try_from(number).ok()?)?;
                    (Value::Bytes(value.to_vec()), rest)
                }
                _ => return None,
            };
            fields.push(Self { tag, value, padding: [tag_padding, padding] });
            bytes = rest;
        }
        Some(fields)
    }

    /// Puts fields together, in the order in which they are given.
    pub(crate) fn write_all(fields: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Self { tag, value, padding: [tag_padding, padding] } in fields {
            put_varint(*tag, *tag_padding, &mut bytes);
            match value {
                Value::Varint(value) => put_varint(*value, *padding, &mut bytes),
                Value::Bytes(value) => {
                    put_varint(value.len() as u64, *padding, &mut bytes);
                    bytes.extend_from_slice(value);
                }
            }
        }
        bytes
    }
}

/// A varint, by how many bytes it is too long, and what follows it.
fn take_varint(bytes: &[u8]) -> Option<(u64, usize, &[u8])> {
    let mut value = 0u64;
    for (position, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * position as u32)?;
        if byte & 0x80 == 0 {
            let mut minimal = Vec::new();
            put_varint(value, 0, &mut minimal);
            let padding = (position + 1).checked_sub(minimal.len())?;
            return Some((value, padding, &bytes[position + 1..]));
        }
    }
    None
}

fn put_varint(mut value: u64, padding: usize, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    if padding == 0 {
        return bytes.push(value as u8);
    }
    bytes.push(value as u8 | 0x80);
    bytes.extend(std::iter::repeat_n(0x80, padding - 1));
    bytes.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_taken_apart_is_put_together_as_it_was() {
        for bytes in [&[0x08, 0x01][..], &[0x08, 0x81, 0x00], &[0x8a, 0x80, 0x00, 0x02, 7, 8], &[0x12, 0x00]]
        {
            let fields = Field::read_all(bytes).unwrap();
            assert_eq!(Field::write_all(&fields), bytes);
        }
        for bytes in [&[0x08][..], &[0x0d, 1, 2, 3, 4], &[0x12, 2, 0]] {
            assert_eq!(Field::read_all(bytes), None);
        }
    }
}
