//! Rewrites a module so that it counts the instructions that it runs.
//!
//! Code between two branches or targets of branches runs completely or, without a trap, not at all.
//! So each such run begins with adding its length to a global variable. The count is exact and does
//! not depend on the engine. `block`, `loop`, `else` and `end` are no instructions: they only mark
//! places. An instruction that copies memory counts once, however much it copies.
//!
//! `local.get 0; br_if 0; i32.const 1; drop; end` is two runs of two instructions: 2 run if the
//! branch is taken, and 4 if it is not.

use wasm_encoder::reencode::utils;
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, GlobalSection, GlobalType, Instruction,
    Module, ValType,
};
use wasmparser::{ExportSectionReader, FunctionBody, GlobalSectionReader, Operator, Parser};

/// The exported global of all instructions.
pub(crate) const INSTRUCTIONS: &str = "counted";

/// The exported global of the instructions of one function, by its place among the module's own.
pub(crate) fn function(number: u32) -> String {
    format!("{INSTRUCTIONS}.{number}")
}

struct Counting {
    /// The first global that is added.
    first: u32,
    /// How many functions have globals of their own.
    functions: u32,
    /// The next function's number.
    next: u32,
}

/// The module with the counting added; for each function too if `functions`.
pub(crate) fn instrumented(module: &[u8], functions: bool) -> Vec<u8> {
    let mut counting = Counting {
        first: 0,
        functions: if functions { count(module) } else { 0 },
        next: 0,
    };
    let mut result = Module::new();
    counting
        .parse_core_module(&mut result, Parser::new(0), module)
        .unwrap();
    result.finish()
}

fn count(module: &[u8]) -> u32 {
    Parser::new(0)
        .parse_all(module)
        .find_map(|part| match part.unwrap() {
            wasmparser::Payload::CodeSectionStart { count, .. } => Some(count),
            _ => None,
        })
        .unwrap()
}

/// Whether control may leave here, or enter behind it.
fn ends_run(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
    )
}

fn is_instruction(operator: &Operator<'_>) -> bool {
    !matches!(
        operator,
        Operator::Block { .. } | Operator::Loop { .. } | Operator::Else | Operator::End
    )
}

impl Reencode for Counting {
    type Error = std::convert::Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        self.first = section.count();
        utils::parse_global_section(self, globals, section)?;
        let kind = GlobalType {
            val_type: ValType::I64,
            mutable: true,
            shared: false,
        };
        for _ in 0..=self.functions {
            globals.global(kind, &ConstExpr::i64_const(0));
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error<Self::Error>> {
        utils::parse_export_section(self, exports, section)?;
        exports.export(INSTRUCTIONS, ExportKind::Global, self.first);
        for number in 0..self.functions {
            exports.export(
                &function(number),
                ExportKind::Global,
                self.first + 1 + number,
            );
        }
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error<Self::Error>> {
        let mut result = self.new_function_with_parsed_locals(&body)?;
        let mut counters = vec![self.first];
        if self.next < self.functions {
            counters.push(self.first + 1 + self.next);
        }
        self.next += 1;
        let operators: Vec<_> = body
            .get_operators_reader()?
            .into_iter()
            .collect::<Result<_, _>>()?;
        for run in operators.split_inclusive(ends_run) {
            let instructions = run.iter().filter(|operator| is_instruction(operator));
            let length = i64::try_from(instructions.count()).unwrap();
            for counter in counters.iter().filter(|_| length > 0) {
                result.instruction(&Instruction::GlobalGet(*counter));
                result.instruction(&Instruction::I64Const(length));
                result.instruction(&Instruction::I64Add);
                result.instruction(&Instruction::GlobalSet(*counter));
            }
            for operator in run {
                result.instruction(&self.instruction(operator.clone())?);
            }
        }
        code.function(&result);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{BlockType, FunctionSection, TypeSection};
    use wasmi::{Engine, Linker, Store, Val};

    use super::*;

    /// Counts its argument down to 0, unless it is 0 already.
    fn module() -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32], []);
        let mut functions = FunctionSection::new();
        functions.function(0);
        let mut exports = ExportSection::new();
        exports.export("run", ExportKind::Func, 0);
        let mut body = wasm_encoder::Function::new([]);
        body.instructions()
            .block(BlockType::Empty)
            .local_get(0)
            .i32_eqz()
            .br_if(0)
            .loop_(BlockType::Empty)
            .local_get(0)
            .i32_const(1)
            .i32_sub()
            .local_tee(0)
            .br_if(0)
            .end()
            .end()
            .end();
        let mut code = CodeSection::new();
        code.function(&body);
        let mut module = Module::new();
        module
            .section(&types)
            .section(&functions)
            .section(&GlobalSection::new())
            .section(&exports)
            .section(&code);
        module.finish()
    }

    #[test]
    fn only_what_runs_is_counted_and_as_often_as_it_runs() {
        let engine = Engine::default();
        let module = wasmi::Module::new(&engine, instrumented(&module(), true)).unwrap();
        for (rounds, instructions) in [(0, 3), (1, 3 + 5), (3, 3 + 3 * 5)] {
            let mut store = Store::new(&engine, ());
            let instance = Linker::new(&engine)
                .instantiate_and_start(&mut store, &module)
                .unwrap();
            let run = instance.get_typed_func::<i32, ()>(&store, "run").unwrap();
            run.call(&mut store, rounds).unwrap();
            for global in [INSTRUCTIONS.to_owned(), function(0)] {
                let counted = instance.get_global(&store, &global).unwrap().get(&store);
                assert!(matches!(counted, Val::I64(counted) if counted == instructions));
            }
        }
    }
}
