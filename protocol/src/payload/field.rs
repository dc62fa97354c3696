use super::{Malformed, Reader, Writer};

/// A value with a field number of its own.
pub trait Field: Sized {
    /// Writes the field, or nothing where it holds its default.
    fn put(&self, number: u32, writer: &mut Writer);

    /// Reads the field where it is next; otherwise its default, or [`Malformed::Missing`].
    fn take(number: u32, reader: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// A length-delimited value: one of a list, or an optional field.
pub trait Element: Sized {
    /// Writes tag, length and value.
    fn put_element(&self, number: u32, writer: &mut Writer);

    /// Reads the value; `number` is only for the error.
    fn from_element(number: u32, bytes: &[u8]) -> Result<Self, Malformed>;
}

/// An enumeration that states its value; zero is no value (`CONV-014`).
pub trait Code: Sized + Copy {
    /// The value on the wire, never zero.
    fn code(self) -> u64;

    /// The variant with that value.
    fn from_code(code: u64) -> Option<Self>;
}

impl<T: Element> Field for Vec<T> {
    fn put(&self, number: u32, writer: &mut Writer) {
        for element in self {
            element.put_element(number, writer);
        }
    }

    fn take(number: u32, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut elements = Vec::new();
        while let Some(bytes) = reader.bytes(number)? {
            elements.push(T::from_element(number, bytes)?);
        }
        Ok(elements)
    }
}

impl<T: Element> Field for Option<T> {
    fn put(&self, number: u32, writer: &mut Writer) {
        if let Some(element) = self {
            element.put_element(number, writer);
        }
    }

    fn take(number: u32, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.bytes(number)?.map(|bytes| T::from_element(number, bytes)).transpose()
    }
}

/// A count or a number whose absence means zero.
impl Field for u64 {
    fn put(&self, number: u32, writer: &mut Writer) {
        writer.varint(number, *self);
    }

    fn take(number: u32, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(reader.varint(number)?.unwrap_or(0))
    }
}

impl Field for u32 {
    fn put(&self, number: u32, writer: &mut Writer) {
        writer.varint(number, u64::from(*self));
    }

    fn take(number: u32, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        u32::try_from(reader.varint(number)?.unwrap_or(0)).map_err(|_| Malformed::Value { field: number })
    }
}

/// A signed number, zigzag-encoded (protobuf `sint64`).
impl Field for i64 {
    fn put(&self, number: u32, writer: &mut Writer) {
        writer.varint(number, zigzag(*self));
    }

    fn take(number: u32, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(unzigzag(reader.varint(number)?.unwrap_or(0)))
    }
}

/// Opaque bytes that must be stated and not be empty.
impl Element for Vec<u8> {
    fn put_element(&self, number: u32, writer: &mut Writer) {
        writer.bytes(number, self);
    }

    fn from_element(number: u32, bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.is_empty() {
            return Err(Malformed::StatedDefault { field: number });
        }
        Ok(bytes.to_vec())
    }
}

crate::required_field!(Vec<u8>);

/// A packed list of `sint64`, as protobuf packs repeated scalars.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed(pub Vec<i64>);

impl Field for Packed {
    fn put(&self, number: u32, writer: &mut Writer) {
        if self.0.is_empty() {
            return;
        }
        let mut packed = Writer::default();
        for value in &self.0 {
            packed.raw_varint(zigzag(*value));
        }
        writer.bytes(number, &packed.into_bytes());
    }

    fn take(number: u32, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let Some(bytes) = reader.bytes(number)? else { return Ok(Self::default()) };
        let mut packed = Reader::new(bytes);
        let mut values = Vec::new();
        while !packed.is_empty() {
            values.push(unzigzag(packed.raw_varint()?));
        }
        if values.is_empty() {
            return Err(Malformed::StatedDefault { field: number });
        }
        Ok(Self(values))
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
