// Runs a test program that was built for the target of the module, and ends as it ends.
//
//     node --no-warnings tests/wasi.mjs target/wasm32-wasip1/debug/deps/program.wasm [arguments]

import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const [, , program, ...given] = process.argv;
const wasi = new WASI({ version: 'preview1', args: [program, ...given], env: process.env, returnOnExit: true });
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
