//! Header maps, and the wire format in which they cross the ABI.
//!
//! Values are bytes, because Envoy lets a client send bytes that are not UTF-8, and a filter must
//! handle them. Names are lower-case, because Envoy lowers them on the way in and on every write.
//!
//! On the wire a map is a little-endian `u32` count, then a `u32` name length and a `u32` value
//! length for each pair, then each name and each value, both closed by a zero byte that the lengths
//! leave out.

/// A header map: names in lower case, values as bytes, in order, with repetitions.
pub(crate) type Headers = Vec<(String, Vec<u8>)>;

/// An empty list of headers, spelt out because a bare `&[]` has no type.
pub(crate) const NO_HEADERS: &[(&str, &str)] = &[];

/// Builds a map from a test's value: `&[("a", "b")]`, byte values, or a map that it already has.
pub(crate) fn headers<N: AsRef<str>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Headers {
    pairs
        .iter()
        .map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.as_ref().to_vec()))
        .collect()
}

/// The first value of `name`, which is all that the ABI's single getter can see.
pub(crate) fn first<'a>(map: &'a Headers, name: &str) -> Option<&'a [u8]> {
    map.iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_slice())
}

/// Appends a value and keeps those that are there.
pub(super) fn add(map: &mut Headers, name: &str, value: &[u8]) {
    map.push((name.to_ascii_lowercase(), value.to_vec()));
}

/// Sets a header to one value in the place of the first, and drops the others.
pub(super) fn replace(map: &mut Headers, name: &str, value: &[u8]) {
    let name = name.to_ascii_lowercase();
    let place = map.iter().position(|(key, _)| *key == name);
    map.retain(|(key, _)| *key != name);
    let place = place.unwrap_or(map.len());
    map.insert(place, (name, value.to_vec()));
}

/// Drops every value of a header.
pub(super) fn remove(map: &mut Headers, name: &str) {
    map.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
}

/// Writes a map in the wire format. An empty map is no bytes at all, as in Envoy.
pub(crate) fn encode(map: &Headers) -> Vec<u8> {
    if map.is_empty() {
        return Vec::new();
    }
    let mut bytes = length(map.len()).to_vec();
    for (name, value) in map {
        bytes.extend(length(name.len()));
        bytes.extend(length(value.len()));
    }
    for (name, value) in map {
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.extend(value);
        bytes.push(0);
    }
    bytes
}

/// Reads the wire format. More than 1024 pairs, or more than 1 MiB, silently count as none, as in
/// Envoy.
///
/// `None` means that the bytes are not a map at all: a mistake of the filter's own encoder.
pub(crate) fn decode(bytes: &[u8]) -> Option<Headers> {
    if bytes.is_empty() || bytes.len() > MAX_BYTES {
        return Some(Headers::new());
    }
    let (count, mut lengths) = take_length(bytes)?;
    if count > MAX_PAIRS {
        return Some(Headers::new());
    }
    let mut texts = lengths.get(count.checked_mul(8)?..)?;
    let mut map = Headers::new();
    for _ in 0..count {
        let (name_length, rest) = take_length(lengths)?;
        let (value_length, rest) = take_length(rest)?;
        lengths = rest;
        let (name, rest) = take_text(texts, name_length)?;
        let (value, rest) = take_text(rest, value_length)?;
        texts = rest;
        map.push((
            std::str::from_utf8(name).ok()?.to_ascii_lowercase(),
            value.to_vec(),
        ));
    }
    Some(map)
}

fn length(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*length)).ok()?, rest))
}

fn take_text(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((text, rest.strip_prefix(&[0])?))
}

const MAX_PAIRS: usize = 1024;
const MAX_BYTES: usize = 1024 * 1024;
