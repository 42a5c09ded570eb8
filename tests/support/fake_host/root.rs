//! A root context: one configuration of the filter in the VM.

use std::marker::PhantomData;
use std::time::Duration;

use super::state::{Side, StreamState, with};
use super::stream::Stream;
use super::{drive, headers};

/// A root context: one configuration in the VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    id: u32,
    /// All state is this thread's, so a handle must not leave it.
    here: PhantomData<*const ()>,
}

impl Root {
    pub(super) fn new(id: u32) -> Self {
        Self {
            id,
            here: PhantomData,
        }
    }

    /// The context's id.
    pub(crate) fn id(self) -> u32 {
        self.id
    }

    /// Whether it accepted its configuration.
    pub(crate) fn accepted(self) -> bool {
        with(|state| state.roots.get(&self.id).is_some_and(|root| root.accepted))
    }

    /// How long until its next tick; `None` while its timer is off.
    pub(crate) fn tick_in(self) -> Option<Duration> {
        with(|state| {
            let (_, due) = state.roots.get(&self.id)?.tick?;
            Some(due.saturating_sub(state.now))
        })
    }

    /// Opens a stream and hands the filter the request's headers; [`Stream::request_action`] is its
    /// answer.
    pub(crate) fn request<N: AsRef<str>, V: AsRef<[u8]>>(
        self,
        headers: &[(N, V)],
        end_of_stream: bool,
    ) -> Stream {
        assert!(
            self.accepted(),
            "root {} refused its configuration or is gone, and Envoy gives it no stream",
            self.id
        );
        let mut stream = StreamState::new(self.id);
        stream.flow(Side::Request).headers = headers::headers(headers);
        let (id, _) = drive::open(self.id, stream, end_of_stream);
        Stream::new(id)
    }

    /// Runs code as if a callback of the root ran it, so that a test can make its own hostcalls.
    pub(crate) fn inside<R>(self, work: impl FnOnce() -> R) -> R {
        with(|state| state.current = self.id);
        let result = work();
        with(|state| state.current = 0);
        result
    }

    /// Ends the root, as Envoy does when its last stream has drained after an update. Its calls are
    /// cancelled.
    pub(crate) fn remove(self) {
        let streams = with(|state| {
            assert!(
                state.roots.contains_key(&self.id),
                "root {} was removed twice",
                self.id
            );
            state
                .streams
                .values()
                .filter(|stream| stream.root == self.id && stream.ended.is_none())
                .count()
        });
        assert_eq!(streams, 0, "root {} still has streams", self.id);
        drive::stop_root(self.id);
    }
}
