//! The strict payload grammar: the one encoding of everything that is signed or logged.
//!
//! It is a subset of protobuf that every language's library emits alike, and this module accepts
//! nothing else (`spec/conventions.md`, CONV-010 to CONV-019): fields in strictly ascending order,
//! minimal varints, packed scalars, defaults absent, no unknown field, no trailing byte. So a value
//! has exactly one encoding, and *what was verified* and *what was decoded* cannot differ.
//!
//! A type is declared once, with its field numbers, by [`payload!`](crate::payload!).

mod field;
mod list;
mod reader;
mod writer;

pub use field::{Code, Element, Field, Packed};
pub use list::{Ascending, Bounded, NotList};
pub use reader::{Malformed, Reader};
pub use writer::Writer;

use crate::limits::PAYLOAD_MAX_BYTES;

/// A message of the strict grammar.
pub trait Payload: Sized {
    /// The most bytes that one value may have.
    const MAX_BYTES: usize = PAYLOAD_MAX_BYTES;

    /// Writes every field in ascending order.
    fn encode_fields(&self, writer: &mut Writer);

    /// Reads every field in ascending order; whatever is left over makes the payload malformed.
    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, Malformed>;

    /// The one encoding of this value.
    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.encode_fields(&mut writer);
        writer.into_bytes()
    }

    /// Decodes bytes that hold exactly one value of this type (CONV-010).
    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(Malformed::TooLong { bytes: bytes.len(), limit: Self::MAX_BYTES });
        }
        Self::from_embedded(bytes)
    }

    /// Decodes a nested message; only the outermost one is measured against the size limit.
    fn from_embedded(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode_fields(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

/// Declares a struct together with its strict encoding.
///
/// `valid_if f;` after the struct names what its fields must satisfy together; bytes that decode to
/// anything else are malformed. `at_most n;` gives the type a size limit of its own.
///
/// ```
/// countersign_protocol::payload! {
///     /// A point.
///     pub struct Point {
///         /// Metres east.
///         1 => pub east: u64,
///         /// Metres north.
///         2 => pub north: u64,
///     }
/// }
/// use countersign_protocol::payload::Payload;
/// assert_eq!(Point { east: 1, north: 0 }.to_bytes(), [0x08, 0x01]);
/// ```
#[macro_export]
macro_rules! payload {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $( $(#[$field_meta:meta])* $number:literal => $field_vis:vis $field:ident : $type:ty ),* $(,)?
        }
        $(valid_if $valid:path;)?
        $(at_most $max:path;)?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis struct $name {
            $( $(#[$field_meta])* $field_vis $field: $type, )*
        }

        impl $crate::payload::Payload for $name {
            $( const MAX_BYTES: usize = $max; )?

            fn encode_fields(&self, writer: &mut $crate::payload::Writer) {
                $( $crate::payload::Field::put(&self.$field, $number, writer); )*
            }

            fn decode_fields(
                reader: &mut $crate::payload::Reader<'_>,
            ) -> ::core::result::Result<Self, $crate::payload::Malformed> {
                $( let $field = $crate::payload::Field::take($number, reader)?; )*
                let value = Self { $($field),* };
                $( if !$valid(&value) { return Err($crate::payload::Malformed::Inconsistent); } )?
                Ok(value)
            }
        }

        $crate::embedded!($name);
    };
}

/// Lets a [`Payload`] stand as a field of another one.
#[macro_export]
macro_rules! embedded {
    ($name:ty) => {
        impl $crate::payload::Element for $name {
            fn put_element(&self, number: u32, writer: &mut $crate::payload::Writer) {
                writer.bytes(number, &$crate::payload::Payload::to_bytes(self));
            }

            fn from_element(
                _number: u32,
                bytes: &[u8],
            ) -> ::core::result::Result<Self, $crate::payload::Malformed> {
                $crate::payload::Payload::from_embedded(bytes)
            }
        }

        $crate::required_field!($name);
    };
}

/// A length-delimited type as a field that must be present.
#[macro_export]
macro_rules! required_field {
    ($name:ty) => {
        impl $crate::payload::Field for $name {
            fn put(&self, number: u32, writer: &mut $crate::payload::Writer) {
                $crate::payload::Element::put_element(self, number, writer);
            }

            fn take(
                number: u32,
                reader: &mut $crate::payload::Reader<'_>,
            ) -> ::core::result::Result<Self, $crate::payload::Malformed> {
                match reader.bytes(number)? {
                    Some(bytes) => $crate::payload::Element::from_element(number, bytes),
                    None => Err($crate::payload::Malformed::Missing { field: number }),
                }
            }
        }
    };
}

/// Lets a type with `as_bytes(&self) -> &[u8]` and `TryFrom<&[u8]>` stand as a field.
#[macro_export]
macro_rules! blob {
    ($name:ty) => {
        impl $crate::payload::Element for $name {
            fn put_element(&self, number: u32, writer: &mut $crate::payload::Writer) {
                writer.bytes(number, self.as_bytes());
            }

            fn from_element(
                number: u32,
                bytes: &[u8],
            ) -> ::core::result::Result<Self, $crate::payload::Malformed> {
                <$name>::try_from(bytes).map_err(|_| $crate::payload::Malformed::Value { field: number })
            }
        }

        $crate::required_field!($name);
    };
}

/// Lets a type with `get(self) -> u64` and `new(u64) -> Option<Self>` stand as a varint field.
///
/// `zero = absent_means_zero` for quantities; `zero = refused` for values that must be stated.
#[macro_export]
macro_rules! scalar {
    ($name:ty, zero = absent_means_zero) => {
        impl $crate::payload::Field for $name {
            fn put(&self, number: u32, writer: &mut $crate::payload::Writer) {
                writer.varint(number, self.get());
            }

            fn take(
                number: u32,
                reader: &mut $crate::payload::Reader<'_>,
            ) -> ::core::result::Result<Self, $crate::payload::Malformed> {
                <$name>::new(reader.varint(number)?.unwrap_or(0))
                    .ok_or($crate::payload::Malformed::Value { field: number })
            }
        }
    };
    ($name:ty, zero = refused) => {
        impl $crate::payload::Field for $name {
            fn put(&self, number: u32, writer: &mut $crate::payload::Writer) {
                writer.varint(number, self.get());
            }

            fn take(
                number: u32,
                reader: &mut $crate::payload::Reader<'_>,
            ) -> ::core::result::Result<Self, $crate::payload::Malformed> {
                let value =
                    reader.varint(number)?.ok_or($crate::payload::Malformed::Missing { field: number })?;
                <$name>::new(value).ok_or($crate::payload::Malformed::Value { field: number })
            }
        }
    };
}

/// Declares an enumeration whose value on the wire is never the silent default zero.
#[macro_export]
macro_rules! code_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $code:literal ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        $vis enum $name { $( $(#[$variant_meta])* $variant = $code, )* }

        impl $crate::payload::Code for $name {
            fn code(self) -> u64 {
                self as u64
            }

            fn from_code(code: u64) -> Option<Self> {
                match code {
                    $( $code => Some(Self::$variant), )*
                    _ => None,
                }
            }
        }

        impl $crate::payload::Field for $name {
            fn put(&self, number: u32, writer: &mut $crate::payload::Writer) {
                writer.varint(number, $crate::payload::Code::code(*self));
            }

            fn take(
                number: u32,
                reader: &mut $crate::payload::Reader<'_>,
            ) -> ::core::result::Result<Self, $crate::payload::Malformed> {
                let code =
                    reader.varint(number)?.ok_or($crate::payload::Malformed::Missing { field: number })?;
                $crate::payload::Code::from_code(code)
                    .ok_or($crate::payload::Malformed::Value { field: number })
            }
        }
    };
}

#[cfg(test)]
mod tests;
