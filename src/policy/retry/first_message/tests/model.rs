//! What a whole body says, in plain words: the specification line by line, without regard to time
//! and memory.

use alloc::string::String;
use alloc::vec::Vec;

use super::*;

/// The verdict on the bytes that there are of a body; `is_over`: there are no more.
pub(super) fn verdict(body: Body, rules: &[EventRule], bytes: &[u8], is_over: bool) -> Verdict {
    let looked_at = &bytes[..bytes.len().min(MOST)];
    let is_over = is_over || bytes.len() >= MOST;
    match body {
        Body::Sse => sse(rules, looked_at, is_over),
        Body::Grpc => grpc(rules, looked_at, is_over),
        Body::Other if looked_at.is_empty() && !is_over => Verdict::Undecided,
        Body::Other => judged(rules, None, looked_at),
    }
}

fn sse(rules: &[EventRule], bytes: &[u8], is_over: bool) -> Verdict {
    // Every byte is a character here, so that what is no UTF-8 stays as it is.
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let text = text.strip_prefix("\u{ef}\u{bb}\u{bf}").unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<_> = text.split('\n').collect();
    // What stands behind the last end of a line may be half a name, and is no line before the end.
    let rest = lines.pop().filter(|rest| is_over && rest.contains(':'));
    let mut name = "";
    let mut data: Vec<&str> = Vec::new();
    for line in lines.into_iter().chain(rest) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => name = value,
            "data" => data.push(value),
            _ => {}
        }
        if line.is_empty() {
            let verdict = fields(rules, name, &data);
            if !data.is_empty() || verdict == Verdict::Failed {
                return verdict;
            }
            name = "";
        }
    }
    if is_over {
        fields(rules, name, &data)
    } else {
        Verdict::Undecided
    }
}

fn fields(rules: &[EventRule], name: &str, data: &[&str]) -> Verdict {
    if name.is_empty() && data.is_empty() {
        return Verdict::Commit;
    }
    let bytes = |text: &str| -> Vec<u8> {
        text.chars()
            .map(|byte| u8::try_from(byte).unwrap())
            .collect()
    };
    let name = if name.is_empty() { "message" } else { name };
    judged(rules, Some(&bytes(name)), &bytes(&data.join("\n")))
}

fn grpc(rules: &[EventRule], bytes: &[u8], is_over: bool) -> Verdict {
    match bytes {
        [1..=u8::MAX, ..] => Verdict::Commit,
        [0, a, b, c, d, rest @ ..] => {
            let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap();
            match rest.get(..length) {
                Some(message) => judged(rules, None, message),
                None if is_over => judged(rules, None, rest),
                None => Verdict::Undecided,
            }
        }
        _ if is_over => Verdict::Commit,
        _ => Verdict::Undecided,
    }
}

fn judged(rules: &[EventRule], name: Option<&[u8]>, data: &[u8]) -> Verdict {
    let fails = rules.iter().any(|rule| match rule {
        EventRule::Event(wanted) => name.is_some_and(|name| name == wanted.as_bytes()),
        EventRule::Data(text) => data.windows(text.len()).any(|at| at == text.as_bytes()),
    });
    if fails {
        Verdict::Failed
    } else {
        Verdict::Commit
    }
}
