#!/usr/bin/env node
import { listing } from "../commands/listing.js";
import { main } from "../src/cli/main.js";

process.exitCode = await main(process.argv.slice(2), listing);
