/** Property tests look at new cases on every machine but one: CI repeats itself. */
if (process.env.CI) (await import("fast-check")).default.configureGlobal({ seed: 42 });

export {};
