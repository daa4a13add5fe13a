#!/usr/bin/env node
/** `tilsyn`: every role in one executable. */
import { processIo } from './io.ts';
import { main } from './program.ts';

// The code is set rather than forced, so that what was printed reaches a slow pipe.
process.exitCode = await main(process.argv.slice(2), processIo());
