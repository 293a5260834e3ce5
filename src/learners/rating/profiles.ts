import type { FolderReader, FolderWriter } from "../model-folder.js";
import type { Ratings } from "./ratings.js";

/** What every user rated: entries of user u lie at starts[u]..starts[u+1]. */
export interface Profiles {
  starts: Int32Array;
  item: Int32Array;
  value: Float32Array;
}

export function profilesOf({ starts, item, value }: Ratings): Profiles {
  return { starts, item, value: Float32Array.from(value) };
}

export function saveProfiles(folder: FolderWriter, { starts, item, value }: Profiles): void {
  folder.array("rated-starts", starts);
  folder.array("rated-items", item);
  folder.array("rated-values", value);
}

export function loadProfiles(folder: FolderReader, users: number): Profiles {
  const item = folder.array("rated-items", "i32");
  return {
    starts: folder.array("rated-starts", "i32", [users + 1]),
    item,
    value: folder.array("rated-values", "f32", [item.length]),
  };
}
