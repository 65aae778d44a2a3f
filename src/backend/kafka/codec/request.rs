//! Writing frames and headers of requests.

use super::answer::LENGTH_FIELD;

/// The name under which a broker's logs and quotas know hubmark's clients.
pub const CLIENT_ID: &str = "hubmark";
/// Position of the request's number in a frame: after length, key and version.
const NUMBER_AT: usize = LENGTH_FIELD + 4;

/// Begins a frame with a request's header (version 1): `key` is the number of the kind of request.
pub(super) fn begin(frame: &mut Vec<u8>, key: i16, version: i16, number: i32) {
    frame.clear();
    put_i32(frame, 0);
    put_i16(frame, key);
    put_i16(frame, version);
    put_i32(frame, number);
    put_string(frame, CLIENT_ID);
}

/// Fills in the frame's length, once it is complete.
pub(super) fn end(frame: &mut [u8]) {
    let length = i32::try_from(frame.len() - LENGTH_FIELD).unwrap_or(i32::MAX);
    frame[..LENGTH_FIELD].copy_from_slice(&length.to_be_bytes());
}

/// Gives a complete frame another number.
pub fn renumber(frame: &mut [u8], number: i32) {
    frame[NUMBER_AT..NUMBER_AT + 4].copy_from_slice(&number.to_be_bytes());
}

pub(super) fn put_i16(frame: &mut Vec<u8>, value: i16) {
    frame.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put_i32(frame: &mut Vec<u8>, value: i32) {
    frame.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put_i64(frame: &mut Vec<u8>, value: i64) {
    frame.extend_from_slice(&value.to_be_bytes());
}

/// Writes a string; names of topics and clients have at most 249 bytes.
pub(super) fn put_string(frame: &mut Vec<u8>, text: &str) {
    put_i16(frame, i16::try_from(text.len()).unwrap_or(i16::MAX));
    frame.extend_from_slice(text.as_bytes());
}

/// Writes a variable-length signed number (zigzag, as in Protocol Buffers).
pub(super) fn put_varint(frame: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        frame.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    frame.push(rest as u8);
}

/// Returns the bytes that [`put_varint`] writes.
pub(super) const fn varint_len(value: i64) -> usize {
    let rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let bits = (64 - rest.leading_zeros()) as usize;
    if bits == 0 { 1 } else { bits.div_ceil(7) }
}
