import { start } from "../../frame/start.tsx";
import { Corpus } from "./screen.tsx";

start("corpus", Corpus);
