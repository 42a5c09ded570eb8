//! Header maps and buffers.

use super::super::guest;
use super::super::headers::{self, Headers};
use super::super::numbers::{BufferType, MapType, Status};
use super::super::state::{State, hostcall};
use super::{bytes, give, malformed, text};

/// The map that a getter can see; `None` if there is no such map now.
fn seen(state: &State, map: MapType) -> Option<&Headers> {
    let stream = state.living(state.context());
    let answer = state
        .answer
        .as_ref()
        .filter(|(root, _)| *root == state.root())
        .map(|(_, answer)| answer);
    match map {
        MapType::HttpRequestHeaders => stream
            .map(|stream| &stream.request)
            .filter(|flow| flow.headers_readable)
            .map(|flow| &flow.headers),
        MapType::HttpRequestTrailers => stream
            .map(|stream| &stream.request)
            .filter(|flow| flow.trailers_readable)
            .map(|flow| &flow.trailers),
        MapType::HttpResponseHeaders => stream
            .map(|stream| &stream.response)
            .filter(|flow| flow.headers_readable)
            .map(|flow| &flow.headers),
        MapType::HttpResponseTrailers => stream
            .map(|stream| &stream.response)
            .filter(|flow| flow.trailers_readable)
            .map(|flow| &flow.trailers),
        MapType::HttpCallResponseHeaders => answer.map(|answer| &answer.headers),
        MapType::HttpCallResponseTrailers => answer.map(|answer| &answer.trailers),
        _ => None,
    }
}

/// A map that can be written: the stream's own, while the filter has it in hand.
fn writable(state: &mut State, map: MapType) -> Option<&mut Headers> {
    let stream = state.stream()?;
    let (map, readable) = match map {
        MapType::HttpRequestHeaders => {
            (&mut stream.request.headers, stream.request.headers_readable)
        }
        MapType::HttpRequestTrailers => (
            &mut stream.request.trailers,
            stream.request.trailers_readable,
        ),
        MapType::HttpResponseHeaders => (
            &mut stream.response.headers,
            stream.response.headers_readable,
        ),
        _ => return None,
    };
    readable.then_some(map)
}

fn write(name: &'static str, map: MapType, change: impl FnOnce(&mut Headers)) -> Status {
    hostcall(name, |state| match writable(state, map) {
        Some(map) => {
            change(map);
            Status::Ok
        }
        None => Status::BadArgument,
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_header_map_pairs(
    map_type: MapType,
    return_map_data: *mut *mut u8,
    return_map_size: *mut usize,
) -> Status {
    hostcall("proxy_get_header_map_pairs", |state| {
        let (wire, gone) = match seen(state, map_type) {
            Some(map) => (headers::encode(map), false),
            // Envoy gives an empty map here and says Ok. For the filter's own stream that is
            // probably a mistake.
            None => (Vec::new(), true),
        };
        let own = matches!(
            map_type,
            MapType::HttpRequestHeaders | MapType::HttpResponseHeaders
        );
        if gone && own {
            let context = state.context();
            state.violation(format!(
                "all of {map_type:?} was read in context {context}, which has no such map now"
            ));
        }
        give(&wire, return_map_data, return_map_size);
        Status::Ok
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_header_map_pairs(
    map_type: MapType,
    map_data: *const u8,
    map_size: usize,
) -> Status {
    let Some(new) = guest::outside(|| headers::decode(bytes(map_data, map_size))) else {
        return malformed("proxy_set_header_map_pairs");
    };
    write("proxy_set_header_map_pairs", map_type, |map| *map = new)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_header_map_value(
    map_type: MapType,
    key_data: *const u8,
    key_size: usize,
    return_value_data: *mut *mut u8,
    return_value_size: *mut usize,
) -> Status {
    let key = text(key_data, key_size);
    hostcall("proxy_get_header_map_value", |state| {
        match seen(state, map_type) {
            Some(map) => match headers::first(map, &key) {
                Some(value) => {
                    give(value, return_value_data, return_value_size);
                    Status::Ok
                }
                None => Status::NotFound,
            },
            None => Status::BadArgument,
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_remove_header_map_value(
    map_type: MapType,
    key_data: *const u8,
    key_size: usize,
) -> Status {
    let key = text(key_data, key_size);
    write("proxy_remove_header_map_value", map_type, |map| {
        headers::remove(map, &key);
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_replace_header_map_value(
    map_type: MapType,
    key_data: *const u8,
    key_size: usize,
    value_data: *const u8,
    value_size: usize,
) -> Status {
    let key = text(key_data, key_size);
    let value = bytes(value_data, value_size);
    write("proxy_replace_header_map_value", map_type, |map| {
        headers::replace(map, &key, value);
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_add_header_map_value(
    map_type: MapType,
    key_data: *const u8,
    key_size: usize,
    value_data: *const u8,
    value_size: usize,
) -> Status {
    let key = text(key_data, key_size);
    let value = bytes(value_data, value_size);
    write("proxy_add_header_map_value", map_type, |map| {
        headers::add(map, &key, value);
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_buffer_bytes(
    buffer_type: BufferType,
    start: usize,
    max_size: usize,
    return_buffer_data: *mut *mut u8,
    return_buffer_size: *mut usize,
) -> Status {
    hostcall("proxy_get_buffer_bytes", |state| {
        let root = state.root();
        // A request's buffer reads as empty outside its body callbacks; the others are not there at
        // all.
        let buffer = match buffer_type {
            BufferType::HttpRequestBody => state.stream().map(|stream| &stream.request.body),
            BufferType::HttpCallResponseBody => state
                .answer
                .as_ref()
                .filter(|(owner, _)| *owner == root)
                .map(|(_, answer)| &answer.body),
            BufferType::PluginConfiguration => state.configuration.as_ref(),
            _ => None,
        };
        let Some(buffer) = buffer else {
            return Status::NotFound;
        };
        let Some(end) = start.checked_add(max_size) else {
            return Status::BadArgument;
        };
        let part = buffer.get(start..end.min(buffer.len())).unwrap_or_default();
        give(part, return_buffer_data, return_buffer_size);
        Status::Ok
    })
}
