//! The shipped module in an engine, as the guest of the fake host.
//!
//! The fake host takes the place of Envoy; usually its guest is the filter that is linked into the
//! test. Here the guest is `target/steerage.wasm` in an interpreter, so the counts are those of the
//! module that ships: the instructions that run, the calls that leave the VM and the bytes that are
//! copied over its border. They do not depend on the machine, its load or the time.
//!
//! The module itself counts its instructions, with code that `counting` adds; the engine's own
//! measure, fuel, charges for more than what runs. Envoy's V8 compiles them to machine code, so
//! they say how much work there is and not how long it takes.
//!
//! # Example
//! ```ignore
//! let meter = engine::load();
//! let host = Setup::new().cluster("a").start(Some(CONFIG), || ());
//! let cost = meter.of(|| host.request(&[(":method", "GET"), …], true));
//! assert_eq!(cost.instructions, 9_000);
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::{cell::RefCell, env, fs, rc::Rc};

use wasmi::{
    AsContext as _, Engine, Global, Instance, Linker, Memory, Module, Store, TypedFunc, Val,
};

use crate::fake_host::guest::{self, Guest};

pub(crate) mod counting;
mod imports;

/// What something has cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Hostcalls, without the reads of the clock.
    pub(crate) hostcalls: u64,
    /// Reads of the clock, WASI's or the ABI's.
    pub(crate) clock: u64,
    /// Hostcalls by name.
    pub(crate) by_name: BTreeMap<&'static str, u64>,
    /// Bytes that the host has copied into the module, and out of it.
    pub(crate) bytes: u64,
    /// Allocations of the host in the module, one for each value that it hands over.
    pub(crate) handed: u64,
    pub(crate) instructions: u64,
    /// Instructions by the callback that they were for.
    pub(crate) by_callback: BTreeMap<&'static str, u64>,
}

/// Measures the cost of this thread's module.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    cost: Rc<RefCell<Cost>>,
    /// Bytes of the module's memory.
    memory: Rc<RefCell<u64>>,
    /// Instructions of each function so far, if they are counted.
    functions: Rc<RefCell<Vec<u64>>>,
}

impl Meter {
    /// The cost of this work.
    pub(crate) fn of(&self, work: impl FnOnce()) -> Cost {
        *self.cost.borrow_mut() = Cost::default();
        work();
        self.cost.take()
    }

    /// The module's linear memory in bytes, which only ever grows.
    pub(crate) fn memory(&self) -> u64 {
        *self.memory.borrow()
    }

    /// Instructions that each function itself has run so far, after [`load_counting`].
    pub(crate) fn functions(&self) -> Vec<u64> {
        self.functions.borrow().clone()
    }
}

/// The data of the imported functions.
#[derive(Debug)]
struct Border {
    cost: Rc<RefCell<Cost>>,
    exports: Option<(Memory, TypedFunc<u32, u32>)>,
}

/// A module in its engine.
struct Instantiated {
    store: Store<Border>,
    instance: Instance,
    memory: Memory,
    instructions: Global,
    functions: Vec<Global>,
    meter: Meter,
}

/// Loads the module and makes it this thread's guest.
pub(crate) fn load() -> Meter {
    load_counting(false)
}

/// The same, and counts for each function what it runs itself.
pub(crate) fn load_counting(functions: bool) -> Meter {
    let meter = Meter {
        cost: Rc::default(),
        memory: Rc::default(),
        functions: Rc::default(),
    };
    let engine = Engine::default();
    let module = Module::new(&engine, counting::instrumented(&file(), functions)).unwrap();
    let mut linker = Linker::new(&engine);
    // Imports that are linked and should never be called trap.
    linker.allow_shadowing(true);
    for import in module.imports() {
        if let Some(kind) = import.ty().func() {
            let name = import.name().to_owned();
            linker
                .func_new(
                    import.module(),
                    import.name(),
                    kind.clone(),
                    move |_, _, _| panic!("{name} was called, which is not modelled"),
                )
                .unwrap();
        }
    }
    imports::define(&mut linker);
    let border = Border {
        cost: Rc::clone(&meter.cost),
        exports: None,
    };
    let mut store = Store::new(&engine, border);
    let instance = linker.instantiate_and_start(&mut store, &module).unwrap();
    let memory = instance.get_memory(&store, "memory").unwrap();
    let allocate = instance
        .get_typed_func(&store, "proxy_on_memory_allocate")
        .unwrap();
    store.data_mut().exports = Some((memory, allocate));
    let mut guest = Instantiated {
        instance,
        memory,
        instructions: instance.get_global(&store, counting::INSTRUCTIONS).unwrap(),
        functions: (0..)
            .map_while(|n| instance.get_global(&store, &counting::function(n)))
            .collect(),
        store,
        meter: meter.clone(),
    };
    guest.call("_initialize", &[]);
    guest::stand_in(guest);
    meter
}

impl Instantiated {
    /// Instructions so far.
    fn counted(&self) -> u64 {
        self.read(self.instructions)
    }

    fn read(&self, global: Global) -> u64 {
        match global.get(&self.store) {
            Val::I64(value) => value.cast_unsigned(),
            other => panic!("{other:?}"),
        }
    }
}

impl Guest for Instantiated {
    fn call(&mut self, callback: &'static str, arguments: &[u32]) -> u32 {
        let Some(function) = self.instance.get_func(&self.store, callback) else {
            // A host passes over the callbacks that a module does not export.
            return 0;
        };
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| Val::I32(argument.cast_signed()))
            .collect();
        let kind = function.ty(&self.store);
        let mut results = vec![Val::I32(0); kind.results().len()];
        let before = self.counted();
        function
            .call(
                &mut self.store,
                &arguments[..kind.params().len()],
                &mut results,
            )
            .unwrap();
        let spent = self.counted() - before;
        let functions = self
            .functions
            .iter()
            .map(|global| self.read(*global))
            .collect();
        *self.meter.functions.borrow_mut() = functions;
        let mut cost = self.meter.cost.borrow_mut();
        cost.instructions += spent;
        *cost.by_callback.entry(callback).or_default() += spent;
        let size = self.memory.data_size(self.store.as_context());
        *self.meter.memory.borrow_mut() = u64::try_from(size).unwrap();
        match results[..] {
            [Val::I32(value)] => value.cast_unsigned(),
            _ => 0,
        }
    }
}

/// The module as it ships.
pub(crate) fn file() -> Vec<u8> {
    let path = env::var_os("STEERAGE_WASM").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/steerage.wasm"),
        Into::into,
    );
    match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => panic!("{}: {error}; run `make build`", path.display()),
    }
}
