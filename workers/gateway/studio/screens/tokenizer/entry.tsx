import { start } from "../../frame/start.tsx";
import { TokenizerScreen } from "./screen.tsx";

start("tokenizer", TokenizerScreen);
