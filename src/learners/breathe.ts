export { breathe } from "../engine/breathe.js";
