import { start } from "../../frame/start.tsx";
import { Models } from "./screen.tsx";

start("models", Models);
