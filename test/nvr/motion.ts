export async function motion(_note: (text: string) => void): Promise<void> {}
