//! The host's shared data as the store that the workers share.

use core::ptr::null_mut;

use proxy_wasm_abi as abi;
use steerage_shared::store::{ABSENT, NotWritten, Store, Version, Versioned};

/// The host's shared data: one map for all workers and plugins of the same `vm_id`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedData;

impl Store for SharedData {
    fn read(&self, key: &str) -> Option<Versioned> {
        let mut data: *mut u8 = null_mut();
        let mut size = 0;
        let mut version = 0;
        // SAFETY: `key` and the pointers are valid for the call.
        #[expect(unsafe_code, reason = "a hostcall")]
        let status = unsafe {
            abi::proxy_get_shared_data(
                key.as_ptr(),
                key.len(),
                &raw mut data,
                &raw mut size,
                &raw mut version,
            )
        };
        (status == OK).then(|| Versioned {
            // SAFETY: the host has just returned both.
            #[expect(unsafe_code, reason = "a hostcall")]
            bytes: unsafe { abi::taken_over(data, size) },
            version,
        })
    }

    fn write(&self, key: &str, bytes: &[u8], version: Option<Version>) -> Result<(), NotWritten> {
        let version = version.unwrap_or(ABSENT);
        // SAFETY: `key` and `bytes` are valid for the call, which only reads them.
        #[expect(unsafe_code, reason = "a hostcall")]
        let status = unsafe {
            abi::proxy_set_shared_data(
                key.as_ptr(),
                key.len(),
                bytes.as_ptr(),
                bytes.len(),
                version,
            )
        };
        match status {
            OK => Ok(()),
            CAS_MISMATCH => Err(NotWritten::Conflict),
            _ => Err(NotWritten::Refused),
        }
    }
}

const OK: abi::Status = 0;
const CAS_MISMATCH: abi::Status = 8;
