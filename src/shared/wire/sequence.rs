//! Sequences that are converted item by item while they are written or read.
//!
//! A list of endpoints as structs of this module would be a second copy of the whole list, in every
//! round of every worker. So a record holds an [`Each`] when it is encoded and an [`All`] when it
//! is decoded. The bytes are those of a `Vec` of the items in either case.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Items to encode, each made when its turn comes.
pub(crate) struct Each<I>(pub(crate) I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Each<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

/// Items that were decoded as `W`, each converted at once.
pub(crate) struct All<W, T> {
    pub(crate) items: Vec<T>,
    wire: PhantomData<W>,
}

impl<'de, W: Deserialize<'de>, T: TryFrom<W>> Deserialize<'de> for All<W, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Items(PhantomData))
    }
}

struct Items<W, T>(PhantomData<(W, T)>);

impl<'de, W: Deserialize<'de>, T: TryFrom<W>> Visitor<'de> for Items<W, T> {
    type Value = All<W, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<All<W, T>, A::Error> {
        // The length is read from the bytes: it may be anything.
        let expected = items.size_hint().unwrap_or(0).min(MOST_RESERVED);
        let mut all = Vec::with_capacity(expected);
        while let Some(item) = items.next_element::<W>()? {
            let item = T::try_from(item).map_err(|_| A::Error::custom("out of range"))?;
            all.push(item);
        }
        Ok(All {
            items: all,
            wire: PhantomData,
        })
    }
}

/// Room is reserved for so many items at first, whatever length the bytes give.
const MOST_RESERVED: usize = 1_000;
