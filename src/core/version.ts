import about from "../../package.json" with { type: "json" };

/** The version of shopai that is running, as in package.json. */
export const version: string = about.version;
